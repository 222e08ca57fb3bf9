# The USB cable of the doubles: each board in recovery mode is a folder of the bus, which both ends see.
# Sourced by flash.sh and l4t_initrd_flash.sh.
bus=/sys/bus/usb/devices

# Sets `board` to the folder of the board at a USB path; fails when none is there in recovery mode.
find_board() {
    board=$bus/$1
    [ -d "$board" ] && [ "$(cat "$board/idVendor")" = 0955 ] && [[ "$(cat "$board/idProduct")" = 7?23 ]]
}

# Sends the image over, with the per cents that the real tools print. A board that breaks says its last words half way.
send_image() {
    local percent
    tar --create --numeric-owner --xattrs --file "$board/image.part" --directory "$1" .
    echo "[   1.0010 ] Writing partition APP with system.img"
    for percent in $(seq 10 10 100); do
        printf '[................................................] %03d%%\r' "$percent"
        sleep 0.3
        if [ "$percent" = 50 ] && [ -s "$board/breaks" ]; then
            cat "$board/breaks"
            rm -rf "$board"
            exit 1
        fi
    done
    mv "$board/image.part" "$board/image.tar"
    # The board takes itself off the bus when it has written all.
    timeout 60 sh -c "while [ -e '$board' ]; do sleep 0.2; done" || { echo "Flash failure"; exit 1; }
}
