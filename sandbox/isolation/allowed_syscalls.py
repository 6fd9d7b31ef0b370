"""The system calls that a sandboxed process may make, with their numbers on each architecture.

The filters in `seccomp_filters.py` restrict the arguments of some. A test compares the numbers with the
kernel's headers (asm/unistd_64.h, asm-generic/unistd.h).
"""

import platform

_ALLOWED = """
    read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69,
    pwritev 296 70, preadv2 327 286, pwritev2 328 287, open 2 -, openat 257 56, openat2 437 437, creat
    85 -, close 3 57, close_range 436 436, stat 4 -, fstat 5 80, lstat 6 -, newfstatat 262 79, statx 332
    291, access 21 -, faccessat 269 48, faccessat2 439 439, lseek 8 62, getcwd 79 17, chdir 80 49,
    fchdir 81 50, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, rename 82 -,
    renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36,
    readlink 89 -, readlinkat 267 78, truncate 76 45, ftruncate 77 46, getdents 78 -, getdents64 217 61,
    fsync 74 82, fdatasync 75 83, fallocate 285 47, flock 73 32, umask 95 166, chmod 90 -, fchmod 91 52,
    fchmodat 268 53, utime 132 -, utimes 235 -, utimensat 280 88, futimesat 261 -, statfs 137 43,
    fstatfs 138 44, listxattr 194 11, llistxattr 195 12, flistxattr 196 13, getxattr 191 8,
    lgetxattr 192 9, fgetxattr 193 10, sendfile 40 71, copy_file_range 326 285, fadvise64 221 223,
    mmap 9 222, mprotect 10 226, munmap 11 215, brk 12 214, mremap 25 216, madvise 28 233, mincore 27
    232, msync 26 227, membarrier 324 283,
    rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136,
    rt_sigtimedwait 128 137, rt_sigsuspend 130 133, sigaltstack 131 132, pause 34 -, restart_syscall 219
    128, kill 62 129, tgkill 234 131,
    ioctl 16 29, fcntl 72 25, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, select 23 -,
    pselect6 270 72, poll 7 -, ppoll 271 73, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21,
    epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, eventfd 284 -, eventfd2 290 19,
    signalfd4 289 74, timerfd_create 283 85, timerfd_settime 286 86, timerfd_gettime 287 87,
    sched_yield 24 124, sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120,
    sched_get_priority_max 146 125, sched_get_priority_min 147 126, nanosleep 35 101, clock_nanosleep
    230 115, clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169, time 201 -, times 100
    153, getitimer 36 102, setitimer 38 103, alarm 37 -, timer_create 222 107, timer_settime 223 110,
    timer_gettime 224 108, timer_delete 226 111, timer_getoverrun 225 109,
    getpid 39 172, getppid 110 173, gettid 186 178, getuid 102 174, geteuid 107 175, getgid 104 176,
    getegid 108 177, getgroups 115 158, getresuid 118 148, getresgid 120 150, getpgrp 111 -, getpgid 121
    155, getsid 124 156, getpriority 140 141, setpgid 109 154, setsid 112 157, uname 63 160, sysinfo 99
    179, getcpu 309 168, getrusage 98 165, getrlimit 97 163, setrlimit 160 164, prlimit64 302 261,
    getrandom 318 278, futex 202 98, futex_waitv 449 449, set_robust_list 273 99, get_robust_list 274
    100, set_tid_address 218 96, rseq 334 293, arch_prctl 158 -, exit 60 93, exit_group 231 94, clone 56
    220, fork 57 -, vfork 58 -, clone3 435 435, execve 59 221, wait4 61 260, waitid 247 95, pidfd_open
    434 434, prctl 157 167,
    socketpair 53 199, sendto 44 206, recvfrom 45 207, sendmsg 46 211, recvmsg 47 212, shutdown 48 210,
    getsockopt 55 209, setsockopt 54 208, getsockname 51 204, getpeername 52 205
"""
"""The allow-list as `name x86-64 aarch64`, where `-` means that the architecture lacks the call.

Groups: files, memory, signals, descriptors, time, processes, socket pairs.
"""

_SETTING_UP = """
    capset 126 91, pivot_root 155 41, landlock_create_ruleset 444 444, landlock_add_rule 445 445,
    landlock_restrict_self 446 446
"""
"""Calls with which a worker confines itself, and that no sandboxed process may make."""

ARCHITECTURES = {"x86_64": 0, "aarch64": 1}
"""The architectures that the sandbox supports, with their column in the tables above."""
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The number that a filter sees for each architecture (linux/audit.h)."""


def _table(text: str, machine: str) -> dict[str, int]:
    column = 1 + ARCHITECTURES[machine]
    rows = (entry.split() for entry in text.split(","))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def allowed(machine: str = platform.machine()) -> dict[str, int]:
    """Return the numbers of the calls on the allow-list, by name."""
    return _table(_ALLOWED, machine)


def setting_up(machine: str = platform.machine()) -> dict[str, int]:
    """Return the numbers of the calls with which a worker confines itself, by name."""
    return _table(_SETTING_UP, machine)
