/*
 * For an aarch64 host under qemu-user, loaded into systemd alone. It mends two calls that systemd needs for units with
 * credentials and with a network of their own; all else goes to the kernel as it is.
 *
 * clone() that also asks for a mount namespace is refused by qemu-user. Here the process is made first and takes its
 * namespace then; for systemd, which waits for that process, the two are the same.
 *
 * recvmsg() without a buffer, for what comes beside the data, returns 0 under qemu-user without having asked the
 * kernel. Here it gets a buffer of one byte.
 */

enum { SYS_EXIT_GROUP = 94, SYS_UNSHARE = 97, SYS_RECVMSG = 212, SYS_CLONE = 220 };
enum { CLONE_VM = 0x100, CLONE_NEWNS = 0x20000 };

struct iovec {
    void *base;
    unsigned long length;
};

struct msghdr {
    void *name;
    unsigned name_length;
    struct iovec *buffers;
    unsigned long buffer_count;
    void *control;
    unsigned long control_length;
    int flags;
};

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

static long result_of(long answer)
{
    if (answer < 0 && answer > -4096) {
        *__errno_location() = (int)-answer;
        return -1;
    }
    return answer;
}

/* The two functions of libc, with its way to report errors. */
long syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == SYS_CLONE && (a & CLONE_NEWNS) && !(a & CLONE_VM))
        return result_of(clone_into_namespace(a, b, c, d, e, f));
    return result_of(kernel(number, a, b, c, d, e, f));
}

long recvmsg(int socket, struct msghdr *message, int flags)
{
    char byte;
    struct iovec buffer = {&byte, 1};
    struct msghdr copy = *message;
    if (copy.buffer_count == 0) {
        copy.buffers = &buffer;
        copy.buffer_count = 1;
    }
    long answer = kernel(SYS_RECVMSG, socket, (long)&copy, flags, 0, 0, 0);
    copy.buffers = message->buffers;
    copy.buffer_count = message->buffer_count;
    *message = copy;
    return result_of(answer);
}
