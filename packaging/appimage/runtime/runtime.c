/* The head of an AppImage of type 2.
 *
 * In: the squashfs behind this executable in the same file, the command line, TMPDIR. Out: the program
 * `AppRun` of the squashfs, in this very process. Never: a change to the caller's world; what is made
 * for the time of the run is removed by place.c. */

#include "runtime.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifndef RUNTIME_VERSION
#define RUNTIME_VERSION "unknown"
#endif

#define OPTION "--appimage-"
#define PROGRAM "AppRun"
#define N_BASES 5

static const char HELP[] =
	"Options of the AppImage, in place of the program's:\n"
	"  --appimage-extract [PATTERN]  write its files, or those that match, to squashfs-root\n"
	"  --appimage-extract-and-run …  run the program from a temporary copy of its files\n"
	"  --appimage-help               print this\n"
	"  --appimage-mount              mount its files, print where, wait for Ctrl-C\n"
	"  --appimage-offset             print where in this file its squashfs begins, in bytes\n"
	"  --appimage-version            print the version of this runtime\n"
	"\n"
	"The files are mounted with FUSE, or extracted where there is none or\n"
	"APPIMAGE_EXTRACT_AND_RUN is set: to TMPDIR, /tmp, /var/tmp, the user's cache folder\n"
	"or /dev/shm, whichever allows it first. They are removed when the program has ended.\n";

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list values;
	va_start(values, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, values);
	fputc('\n', stderr);
	va_end(values);
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
	if (!run || !realpath(run, path))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
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

/* Folders that may do for temporary files, the best first. `cache` has room for one of their paths. */
static size_t find_bases(const char *bases[N_BASES], char *cache)
{
	size_t n_bases = 0;
	const char *temporary = getenv("TMPDIR"), *home = getenv("HOME"), *caches = getenv("XDG_CACHE_HOME");
	if (temporary && *temporary)
		bases[n_bases++] = temporary;
	bases[n_bases++] = "/tmp";
	bases[n_bases++] = "/var/tmp";
	if (caches && *caches == '/')
		bases[n_bases++] = caches;
	else if (home && *home == '/' && join(cache, home, ".cache"))
		bases[n_bases++] = cache;
	bases[n_bases++] = "/dev/shm";
	return n_bases;
}

static bool allows_programs(const char *folder)
{
	struct statvfs status;
	return statvfs(folder, &status) != 0 || !(status.f_flag & ST_NOEXEC);
}

/* Whether the program can be started from a place where its files should be. */
static bool is_ready(const struct place *place, char *reason, size_t size)
{
	char program[PATH_MAX];
	if (join(program, place->root, PROGRAM) && access(program, X_OK) == 0)
		return true;
	snprintf(reason, size, PROGRAM ": %s", strerror(errno));
	return false;
}

/* Mounts the image in the first folder that allows a place. */
static bool find_mounted(sqfs *fs, struct place *place, char *reason, size_t size)
{
	const char *bases[N_BASES];
	char cache[PATH_MAX];
	size_t n_bases = find_bases(bases, cache), i = 0;
	while (i < n_bases && !place_make(place, bases[i]))
		i++;
	if (i == n_bases) {
		snprintf(reason, size, "no writable folder for temporary files");
		return false;
	}
	if (mount_image(fs, place->root, reason, size) && is_ready(place, reason, size))
		return true;
	place_drop(place);
	return false;
}

/* Extracts the image to the first folder that allows it; `reasons` gets a line for each that does not. */
static bool find_extracted(sqfs *fs, struct place *place, char *reasons, size_t size)
{
	const char *bases[N_BASES];
	char cache[PATH_MAX], reason[PATH_MAX + 128];
	size_t n_bases = find_bases(bases, cache);
	for (size_t i = 0; i < n_bases; i++) {
		if (!allows_programs(bases[i]))
			snprintf(reason, sizeof reason, "mounted noexec");
		else if (!place_make(place, bases[i]))
			snprintf(reason, sizeof reason, "%s", strerror(errno));
		else if (extract_image(fs, place->root, NULL, reason, sizeof reason) &&
			 is_ready(place, reason, sizeof reason))
			return true;
		else
			place_drop(place);
		size_t length = strlen(reasons);
		snprintf(reasons + length, size - length, "\n  %s: %s", bases[i], reason);
	}
	return false;
}

/* Makes the image visible; ends with an error that says what was tried if that can't be done. */
static void find_place(sqfs *fs, struct place *place, bool may_mount, bool may_extract)
{
	char reason[PATH_MAX + 128] = "not tried", reasons[4 * PATH_MAX] = "";
	if (may_mount && find_mounted(fs, place, reason, sizeof reason))
		return;
	if (may_extract && find_extracted(fs, place, reasons, sizeof reasons))
		return;
	complain("the program's files can't be mounted (%s)", reason);
	if (may_extract)
		complain("nor extracted:%s\nLet TMPDIR name a folder that is writable, not mounted noexec, "
			 "and has room for them.",
			 reasons);
	exit(EXIT_NOT_STARTED);
}

/* Becomes the program. */
static _Noreturn void start(const struct place *place, const char *self, char **arguments)
{
	char program[PATH_MAX], folder[PATH_MAX];
	setenv("APPIMAGE", self, 1);
	setenv("APPDIR", place->root, 1);
	setenv("ARGV0", arguments[0], 1);
	if (getcwd(folder, sizeof folder))
		setenv("OWD", folder, 1);
	if (join(program, place->root, PROGRAM))
		execv(program, arguments);
	complain("%s: %s", program, strerror(errno));
	exit(EXIT_NOT_STARTED);
}

static int extract_here(sqfs *fs, const char *pattern)
{
	static const char folder[] = "squashfs-root";
	char reason[512];
	if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
		complain("%s: %s", folder, strerror(errno));
		return 1;
	}
	if (extract_image(fs, folder, pattern, reason, sizeof reason))
		return 0;
	complain("%s: %s", folder, reason);
	return 1;
}

static _Noreturn void mount_and_wait(sqfs *fs)
{
	struct place place;
	find_place(fs, &place, true, false);
	puts(place.root);
	fflush(stdout);
	for (;;)
		pause(); /* a signal ends this process, and so the mount */
}

int main(int argc, char **argv)
{
	char self[PATH_MAX];
	sqfs fs;
	struct place place;
	bool has_option = argc > 1 && strncmp(argv[1], OPTION, strlen(OPTION)) == 0;
	const char *option = has_option ? argv[1] + strlen(OPTION) : "";
	int fd = open_self(self);
	off_t offset = fd < 0 ? -1 : executable_size(fd);
	if (offset < 0 || sqfs_init(&fs, fd, (size_t)offset) != SQFS_OK) {
		complain("can't read the squashfs behind the runtime: the file is not complete, or not readable");
		return EXIT_NOT_STARTED;
	}
	if (strcmp(option, "help") == 0)
		return fputs(HELP, stdout) < 0;
	if (strcmp(option, "version") == 0)
		return puts(RUNTIME_VERSION) < 0;
	if (strcmp(option, "offset") == 0)
		return printf("%lld\n", (long long)offset) < 0;
	if (strcmp(option, "extract") == 0)
		return extract_here(&fs, argc > 2 ? argv[2] : NULL);
	if (strcmp(option, "mount") == 0)
		mount_and_wait(&fs);
	bool only_extract = strcmp(option, "extract-and-run") == 0;
	if (has_option && !only_extract) {
		complain("no option %s; %shelp lists them", argv[1], OPTION);
		return 1;
	}
	if (only_extract) {
		argv[1] = argv[0]; /* the program does not see the option */
		argv++;
	}
	find_place(&fs, &place, !only_extract && !getenv("APPIMAGE_EXTRACT_AND_RUN"), true);
	start(&place, self, argv);
}
