/* The head of an AppImage of type 2, for builders that have no published one: the least that runs.
 *
 * In: the squashfs behind this executable in the same file, the command line, TMPDIR. Out: the program
 * `AppRun` of the squashfs, in this very process, so that its process id, signals and exit code are
 * what the caller sees. The files are extracted to a folder of this run alone. A process in the
 * background removes it when the program has ended, even by SIGKILL.
 *
 * The published runtime mounts the squashfs with FUSE, which starts sooner. Measured with rico-hdl's
 * 240 MB of files, `--version`, medians of 15 interleaved starts: mounted 0.38 s (by the 855 lines with
 * libfuse3 that were here before), extracted 2.0 s to a disk and 1.0 s to /dev/shm; `AppRun` of an
 * extracted copy 0.14 s. */

#include <squashfuse/squashfuse.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_STARTED 127 /* as shells and the published runtime have it */
#define OPTION "--appimage-"
#define PROGRAM "AppRun"

static const char HELP[] =
	"Options of the AppImage, in place of the program's:\n"
	"  --appimage-extract            write its files to squashfs-root\n"
	"  --appimage-extract-and-run …  run the program from a temporary copy of its files, as always\n"
	"  --appimage-help               print this\n"
	"  --appimage-offset             print where in this file its squashfs begins, in bytes\n"
	"\n"
	"The temporary copy goes to TMPDIR, /tmp, /var/tmp or /dev/shm, whichever allows it first.\n";

/* What Debian's squashfuse calls to decompress LZO, which this squashfs does not use: liblzo2 is under
 * the GPL, which would then hold for the whole runtime. */
int lzo1x_decompress_safe(const unsigned char *source, size_t n_source, unsigned char *target,
			  size_t *n_target, void *memory);
int lzo1x_decompress_safe(const unsigned char *source, size_t n_source, unsigned char *target,
			  size_t *n_target, void *memory)
{
	(void)source, (void)n_source, (void)target, (void)n_target, (void)memory;
	return -1; /* LZO_E_ERROR */
}

static bool join(char *path, const char *folder, const char *name)
{
	int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
	if (length >= 0 && length < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

/* Copies the content of a file of the image to an open file. */
static bool copy_content(sqfs *fs, sqfs_inode *inode, int fd)
{
	char *block = malloc(fs->sb.block_size);
	uint64_t n_done = 0;
	bool done = block != NULL;
	while (done && n_done < inode->xtra.reg.file_size) {
		sqfs_off_t n_bytes = fs->sb.block_size;
		errno = EIO; /* what squashfuse reports has no number */
		done = sqfs_read_range(fs, inode, (sqfs_off_t)n_done, &n_bytes, block) == SQFS_OK && n_bytes > 0;
		for (sqfs_off_t i = 0; done && i < n_bytes;) {
			ssize_t n_written = write(fd, block + i, (size_t)(n_bytes - i));
			done = n_written > 0 || (n_written < 0 && errno == EINTR);
			i += n_written > 0 ? n_written : 0;
		}
		n_done += (uint64_t)n_bytes;
	}
	free(block);
	return done;
}

static bool extract_file(sqfs *fs, sqfs_inode *inode, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = inode->base.mtime}};
	bool done = copy_content(fs, inode, fd) && fchmod(fd, inode->base.mode & 0777) == 0 &&
		    futimens(fd, times) == 0;
	int error = errno;
	if (close(fd) != 0) /* tells of a full disk on some network file systems */
		return false;
	errno = error;
	return done;
}

/* Extracts what a walk has come to. `path` is where it goes. */
static bool extract_entry(sqfs *fs, sqfs_dir_entry *entry, const char *path)
{
	sqfs_inode inode;
	char target[PATH_MAX];
	size_t size = sizeof target;
	errno = EIO;
	if (sqfs_inode_get(fs, &inode, sqfs_dentry_inode(entry)) != SQFS_OK)
		return false;
	if (S_ISDIR(inode.base.mode))
		return mkdir(path, 0755) == 0;
	if (S_ISREG(inode.base.mode))
		return extract_file(fs, &inode, path);
	errno = ENOTSUP; /* devices and pipes have no place in an AppImage */
	return S_ISLNK(inode.base.mode) && sqfs_readlink(fs, &inode, target, &size) == SQFS_OK &&
	       symlink(target, path) == 0;
}

/* Writes what is in the image to an empty folder. False, with the reason in `reason`, if it can't. */
static bool extract(sqfs *fs, const char *folder, char *reason, size_t size)
{
	sqfs_traverse walk;
	sqfs_err error = sqfs_traverse_open(&walk, fs, sqfs_inode_root(fs));
	bool done = error == SQFS_OK;
	mode_t mask = umask(022); /* the caller's might keep us out of our own folders */
	snprintf(reason, size, "the appended squashfs is damaged");
	while (done && sqfs_traverse_next(&walk, &error)) {
		char path[PATH_MAX];
		done = walk.dir_end || (join(path, folder, walk.path) && extract_entry(fs, &walk.entry, path));
		if (!done)
			snprintf(reason, size, "%s: %s", walk.path, strerror(errno));
	}
	umask(mask);
	return done && error == SQFS_OK;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	remove(path);
	return 0;
}

/* Waits until nobody has the other end of a pipe any more, and removes a folder. */
static _Noreturn void remove_later(const char *folder, int pipe_end)
{
	static const int IGNORED[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP};
	char byte;
	for (size_t i = 0; i < sizeof IGNORED / sizeof *IGNORED; i++)
		signal(IGNORED[i], SIG_IGN);
	/* Nobody shall wait for the end of this process to read the end of a pipe. */
	dup2(pipe_end, 0);
	for (int fd = 65536; fd > 0; fd--) /* Linux before 5.9 has no close_range */
		close(fd);
	while (chdir("/") == 0 && read(0, &byte, 1) < 0 && errno == EINTR)
		;
	nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_MOUNT | FTW_PHYS);
	_exit(0);
}

/* Makes a folder of this run alone, which is gone when the returned descriptor is closed: by this
 * process, or by the program it becomes and what that starts. -1, with errno set, if it can't. */
static int make_folder(char *folder, const char *base)
{
	int ends[2], fd;
	struct statvfs status;
	if (statvfs(base, &status) == 0 && (status.f_flag & ST_NOEXEC)) {
		errno = ENOEXEC; /* AppRun could not be started */
		return -1;
	}
	if (!join(folder, base, "appimage-XXXXXX") || !mkdtemp(folder))
		return -1;
	if (pipe(ends) != 0 || (fd = fcntl(ends[1], F_DUPFD, 64)) < 0) { /* scripts use low numbers */
		rmdir(folder);
		return -1;
	}
	close(ends[1]);
	pid_t child = fork();
	if (child == 0) {
		close(fd);
		setsid();
		if (fork() == 0)
			remove_later(folder, ends[0]);
		_exit(0); /* the program shall find no children that it did not start */
	}
	close(ends[0]);
	if (child < 0)
		return -1;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

/* Extracts the image to the first folder that allows it; ends if none does. */
static void find_folder(sqfs *fs, char *folder)
{
	char reasons[4 * PATH_MAX] = "", reason[PATH_MAX + 128];
	const char *bases[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"};
	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		char base[PATH_MAX];
		if (!bases[i] || !*bases[i])
			continue;
		int fd = realpath(bases[i], base) ? make_folder(folder, base) : -1;
		if (fd < 0)
			snprintf(reason, sizeof reason, "%s", errno == ENOEXEC ? "mounted noexec" : strerror(errno));
		else if (extract(fs, folder, reason, sizeof reason))
			return;
		else
			close(fd);
		size_t length = strlen(reasons);
		snprintf(reasons + length, sizeof reasons - length, "  %s: %s\n", bases[i], reason);
	}
	fprintf(stderr, "%s: the program's files can't be extracted:\n%sLet TMPDIR name a folder that is "
		"writable, not mounted noexec, and has room for them.\n", program_invocation_short_name, reasons);
	exit(EXIT_NOT_STARTED);
}

/* Opens this file. Its path goes to `path`: the kernel's own word, or, without /proc, what was run. */
static int open_self(char *path)
{
	const char *run = (const char *)getauxval(AT_EXECFN);
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	if (length > 0) {
		path[length] = '\0';
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	}
	return run && realpath(run, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

/* Where this executable ends, which is where the squashfs begins; -1 if this is no such file. */
static off_t executable_size(int fd)
{
	Elf64_Ehdr header;
	if (pread(fd, &header, sizeof header, 0) != sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return -1;
	/* The table of sections is the last thing that linkers and strip write. */
	return (off_t)(header.e_shoff + (Elf64_Off)header.e_shentsize * header.e_shnum);
}

int main(int argc, char **argv)
{
	char self[PATH_MAX], path[PATH_MAX], folder[PATH_MAX] = "squashfs-root", reason[PATH_MAX + 128];
	sqfs fs;
	bool has_option = argc > 1 && strncmp(argv[1], OPTION, strlen(OPTION)) == 0;
	const char *option = has_option ? argv[1] + strlen(OPTION) : "";
	int fd = open_self(self);
	off_t offset = fd < 0 ? -1 : executable_size(fd);
	if (offset < 0 || sqfs_init(&fs, fd, (size_t)offset) != SQFS_OK) {
		fprintf(stderr, "%s: can't read the squashfs behind the runtime: the file is not complete, or not "
			"readable\n", argv[0]);
		return EXIT_NOT_STARTED;
	}
	if (strcmp(option, "help") == 0)
		return fputs(HELP, stdout) < 0;
	if (strcmp(option, "offset") == 0)
		return printf("%lld\n", (long long)offset) < 0;
	if (strcmp(option, "extract") == 0) {
		if (mkdir(folder, 0755) != 0)
			snprintf(reason, sizeof reason, "%s", strerror(errno));
		else if (extract(&fs, folder, reason, sizeof reason))
			return 0;
		fprintf(stderr, "%s: %s: %s\n", argv[0], folder, reason);
		return 1;
	}
	if (has_option && strcmp(option, "extract-and-run") != 0) {
		fprintf(stderr, "%s: no option %s; %shelp lists them\n", argv[0], argv[1], OPTION);
		return 1;
	}
	if (has_option) {
		argv[1] = argv[0]; /* the program does not see the option */
		argv++;
	}
	find_folder(&fs, folder);
	setenv("APPIMAGE", self, 1);
	setenv("APPDIR", folder, 1);
	setenv("ARGV0", argv[0], 1);
	if (getcwd(path, sizeof path))
		setenv("OWD", path, 1);
	if (join(path, folder, PROGRAM))
		execv(path, argv);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return EXIT_NOT_STARTED;
}
