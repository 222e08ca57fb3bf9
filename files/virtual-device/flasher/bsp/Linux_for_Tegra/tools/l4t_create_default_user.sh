#!/bin/bash
# Double of l4t_create_default_user.sh: same options, same files of the image.
set -e
rootfs=$(cd "$(dirname "$0")/../rootfs" && pwd)
user=nvidia
password=$(head -c 6 /dev/urandom | base64)
host=tegra-ubuntu
accepted=false
while [ -n "$1" ]; do
    case "$1" in
        -u | --username) user=$2; shift 2 ;;
        -p | --password) password=$2; shift 2 ;;
        -n | --hostname) host=$2; shift 2 ;;
        -a | --autologin) shift ;;
        --accept-license) accepted=true; shift ;;
        *) echo "ERROR: Invalid parameter. Exiting..."; exit 1 ;;
    esac
done
[ -f "$rootfs/etc/passwd" ] || { echo "ERROR: not a valid rootfs directory" >/dev/stderr; exit 1; }
# The real one shows the licence on the screen and waits.
[ "$accepted" = true ] || { echo "ERROR: the license has to be accepted"; exit 1; }

echo "Creating: Username - $user, Password - $password, Autologin - false"
echo "$user:x:1000:1000::/home/$user:/bin/bash" >>"$rootfs/etc/passwd"
echo "$user:x:1000:" >>"$rootfs/etc/group"
echo "$user:$(openssl passwd -1 "$password" 2>/dev/null || echo '$1$double'):20000:0:99999:7:::" >>"$rootfs/etc/shadow"
mkdir -p "$rootfs/home/$user"
cp -r "$rootfs/etc/skel/." "$rootfs/home/$user"
chown -R 1000:1000 "$rootfs/home/$user"
echo "Creating: Hostname - $host"
echo "$host" >"$rootfs/etc/hostname"
echo "127.0.1.1 $host" >>"$rootfs/etc/hosts"
