/* The image as a mounted folder: libfuse speaks with the kernel, squashfuse answers.
 *
 * The mounting itself is done here and not by libfuse, which knows of no helper but fusermount3,
 * and writes to stderr when the machine has no FUSE, which is no error of ours. */

#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE "/dev/fuse"
#define TYPE "fuse.appimage"

/* Set user id root; the newer one first. */
static const char *const HELPERS[] = {"fusermount3", "fusermount"};
#define N_HELPERS (sizeof HELPERS / sizeof *HELPERS)

/* Runs a helper with a descriptor to answer through, or -1. Its exit code, or -1. */
static int run_helper(char *const command[], int channel)
{
	pid_t child = fork();
	if (child == 0) {
		char number[16];
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; null >= 0 && fd < 3; fd++)
			dup2(null, fd);
		snprintf(number, sizeof number, "%d", channel);
		setenv("_FUSE_COMMFD", number, 1);
		execvp(command[0], command);
		_exit(EXIT_NOT_STARTED);
	}
	int status;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The descriptor that came through a socket, or -1. */
static int received(int channel)
{
	char byte;
	union {
		struct cmsghdr header; /* aligns the bytes */
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	ssize_t n_bytes;
	do
		n_bytes = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (n_bytes < 0 && errno == EINTR);
	struct cmsghdr *header = n_bytes > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	int fd = -1;
	if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

/* Mounts as whoever runs this may; the device's descriptor, or -1 with errno set. */
static int mount_directly(const char *folder)
{
	char options[128];
	int device = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -1;
	snprintf(options, sizeof options, "fd=%d,rootmode=%o,user_id=%u,group_id=%u", device, S_IFDIR | 0755,
		 geteuid(), getegid());
	if (mount("appimage", folder, TYPE, MS_RDONLY | MS_NOSUID | MS_NODEV, options) == 0)
		return device;
	int error = errno;
	close(device);
	errno = error;
	return -1;
}

/* Lets a helper mount; the device's descriptor, or -1. */
static int mount_by(const char *helper, const char *folder)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return -1;
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	char *const command[] = {
		(char *)helper, "-o", "ro,nosuid,nodev,fsname=appimage,subtype=appimage", "--", (char *)folder, NULL,
	};
	int code = run_helper(command, pair[1]);
	close(pair[1]);
	int device = code == 0 ? received(pair[0]) : -1;
	close(pair[0]);
	return device;
}

/* Answers the kernel until the folder is unmounted. */
static void serve(const sqfs *fs, int image, int device)
{
	static const struct fuse_lowlevel_ops answers = {
		.getattr = sqfs_ll_op_getattr,
		.lookup = sqfs_ll_op_lookup,
		.forget = sqfs_ll_op_forget,
		.opendir = sqfs_ll_op_opendir,
		.readdir = sqfs_ll_op_readdir,
		.releasedir = sqfs_ll_op_releasedir,
		.open = sqfs_ll_op_open,
		.read = sqfs_ll_op_read,
		.release = sqfs_ll_op_release,
		.readlink = sqfs_ll_op_readlink,
		.statfs = stfs_ll_op_statfs,
	};
	char *arguments[] = {"appimage", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	char mounted[32];
	sqfs_ll *ll = calloc(1, sizeof *ll);
	if (!ll)
		return;
	ll->fs = *fs;
	ll->fs.fd = image;
	struct fuse_session *session =
		sqfs_ll_init(ll) == SQFS_OK ? fuse_session_new(&args, &answers, sizeof answers, ll) : NULL;
	/* libfuse takes a descriptor of what is mounted already under this name. */
	snprintf(mounted, sizeof mounted, "/dev/fd/%d", device);
	if (session && fuse_session_mount(session, mounted) == 0)
		fuse_session_loop(session);
}

bool mount_image(sqfs *fs, const char *folder, char *reason, size_t size)
{
	int device = mount_directly(folder);
	int error = errno;
	/* Without the kernel's part no helper can do anything. */
	bool hopeless = error == ENOENT || error == ENODEV || error == ENXIO;
	for (size_t i = 0; device < 0 && !hopeless && i < N_HELPERS; i++)
		device = mount_by(HELPERS[i], folder);
	if (device < 0) {
		snprintf(reason, size, DEVICE ": %s", strerror(error));
		return false;
	}
	int fds[] = {fs->fd, device};
	if (detach("appimage-fuse", fds, 2)) {
		serve(fs, fds[0], fds[1]);
		_exit(0);
	}
	/* So that a mount whose server has ended is dead, and nothing waits for an answer from it. */
	close(device);
	return true;
}

/* Whether something is mounted on a folder. */
static bool is_mounted(const char *folder)
{
	char parent[PATH_MAX];
	struct stat inside, outside;
	snprintf(parent, sizeof parent, "%s", folder);
	if (lstat(dirname(parent), &outside) != 0)
		return false;
	if (lstat(folder, &inside) != 0)
		return errno != ENOENT; /* a mount without a server answers nothing */
	return inside.st_dev != outside.st_dev;
}

bool unmount_image(const char *folder)
{
	if (!is_mounted(folder) || umount2(folder, UMOUNT_NOFOLLOW) == 0)
		return true;
	for (size_t i = 0; i < N_HELPERS; i++) {
		char *const command[] = {(char *)HELPERS[i], "-u", "--", (char *)folder, NULL};
		if (run_helper(command, -1) == 0)
			return true;
	}
	return false;
}
