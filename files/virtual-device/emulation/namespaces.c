/*
 * For an aarch64 host under qemu-user, loaded into systemd alone. qemu-user refuses a clone() that also asks for a mount
 * namespace, which is how systemd makes the process that writes a unit's credentials. Here the process is made first
 * and takes its namespace then; for systemd the two are the same. All other calls go to the kernel as they are.
 */

enum { SYS_EXIT_GROUP = 94, SYS_UNSHARE = 97, SYS_CLONE = 220 };
enum { CLONE_VM = 0x100, CLONE_NEWNS = 0x20000 };

int *__errno_location(void);

static long kernel(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

static long clone_into_namespace(long flags, long b, long c, long d, long e, long f)
{
    long pid = kernel(SYS_CLONE, flags & ~CLONE_NEWNS, b, c, d, e, f);
    if (pid == 0 && kernel(SYS_UNSHARE, CLONE_NEWNS, 0, 0, 0, 0, 0) < 0)
        kernel(SYS_EXIT_GROUP, 1, 0, 0, 0, 0, 0);
    return pid;
}

/* libc's function of this name, with its way to report errors. */
long syscall(long number, long a, long b, long c, long d, long e, long f)
{
    int namespaced = number == SYS_CLONE && (a & CLONE_NEWNS) && !(a & CLONE_VM);
    long result = namespaced ? clone_into_namespace(a, b, c, d, e, f) : kernel(number, a, b, c, d, e, f);
    if (result < 0 && result > -4096) {
        *__errno_location() = (int)-result;
        return -1;
    }
    return result;
}
