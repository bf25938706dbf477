/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sigbus.c: see sigbus.h. The handler uses atomic loads, mremap(2), mmap(2), fstat(2) and fcntl(2);
 * it takes no lock of the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/layout.h"
#include "arena/sigbus.h"
#include "base/atomic.h"

#define WATCHED_MAX 64

struct watched {
	uintptr_t base; /* 0: none. Written last, cleared first */
	uint64_t bytes;
	void *spare;   /* a page with the header that replaces the arena's */
	uint32_t lost; /* 1: it was replaced, or is being replaced */
	uint32_t byte;
	int lock_fd; /* of the lock file; -1: none */
	dev_t lock_dev;
	ino_t lock_ino;
	const uint64_t *epoch;
};

static struct watched watched[WATCHED_MAX];
static uint32_t watched_count;
static uint32_t caught;
static size_t page_bytes;
static bool installed;
static struct sigaction former;  /* the handler we pass other signals on to */
static struct sigaction earlier; /* the one before ours, if the host set `former` after us */
static bool overtaken;           /* `earlier` is set: the host's handler passes on to ours */
static __thread const void *passing __attribute__((tls_model("initial-exec"))); /* a frame */

/*
 * We no longer reach the file, but may still hold something in it: a cart's lock, a reader's phase.
 * From now on, we count as dead to other processes. (The descriptor may have become the host's own
 * by now.)
 */
static void give_byte_up(const struct watched *w)
{
	struct flock lock = {
		.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = (off_t)w->byte, .l_len = 1
	};
	int fd = load_acquire(&w->lock_fd);
	struct stat st;

	if (fd >= 0 && *w->epoch != 0 && fstat(fd, &st) == 0 && st.st_dev == w->lock_dev &&
	    st.st_ino == w->lock_ino)
		(void)fcntl(fd, F_OFD_SETLK, &lock);
}

static bool replace(struct watched *w)
{
	uint8_t *base = (uint8_t *)w->base; /* NOLINT(performance-no-int-to-ptr) */

	if (swap_acq_rel(&w->lost, 1u) != 0)
		return true; /* another thread replaces it: our access faults again until then */
	store_relaxed(&caught, 1u);
	if (mremap(w->spare, page_bytes, page_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, base) ==
		    MAP_FAILED ||
	    (w->bytes > page_bytes &&
	     mmap(base + page_bytes, w->bytes - page_bytes, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED))
		return false;
	give_byte_up(w);
	return true;
}

static void pass_to(const struct sigaction *other, int number, siginfo_t *info, void *context)
{
	if ((other->sa_flags & SA_SIGINFO) != 0) {
		other->sa_sigaction(number, info, context);
		return;
	}
	if (other->sa_handler != SIG_DFL && other->sa_handler != SIG_IGN) {
		other->sa_handler(number);
		return;
	}
	if (other->sa_handler == SIG_IGN && info->si_code <= 0)
		return; /* sent by another process, and ignored */
	(void)signal(number, SIG_DFL);
	if (info->si_code <= 0)
		(void)raise(number); /* delivered when we return; a fault repeats by itself */
}

/*
 * The fault is not ours: behave as if we were not installed. If the host set a handler after ours,
 * and we then installed ours again in front of it, its handler passes on to us what is not its own.
 * So a signal that arrives here a second time goes to the handler before both.
 */
static void pass_on(int number, siginfo_t *info, void *context)
{
	bool again = overtaken && passing == context;

	passing = context;
	pass_to(again ? &earlier : &former, number, info, context);
	passing = NULL;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;
	int error = errno;

	for (uint32_t i = 0; i < WATCHED_MAX; i++) {
		uintptr_t base = load_acquire(&watched[i].base);
		if (base == 0 || at - base >= watched[i].bytes || info->si_code <= 0 ||
		    info->si_code == BUS_ADRALN)
			continue;
		if (!replace(&watched[i]))
			break;
		errno = error;
		return;
	}
	pass_on(number, info, context);
	errno = error;
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_sigbus;
}

/* Make our handler the first to get the signal, even if the host has set its own meanwhile. */
static int install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus,
				    .sa_flags = SA_SIGINFO | SA_RESTART };

	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) < 0)
		return -errno;
	if (installed && is_ours(&now))
		return 0;
	if (installed && !overtaken) {
		earlier = former;
		overtaken = true;
	}
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, &former) < 0)
		return -errno;
	installed = true;
	return 0;
}

/* Restore the former handler, unless another was set after ours: it may go on calling us. */
static void uninstall(void)
{
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) != 0 || !is_ours(&now) ||
	    sigaction(SIGBUS, &former, NULL) < 0)
		return;
	/* overtaken: the host's handler is first now, and still passes on to ours */
	if (overtaken)
		former = earlier;
	installed = overtaken;
	overtaken = false;
}

int sigbus_take_signal(void)
{
	return install();
}

int sigbus_watch(void *base, uint64_t bytes)
{
	struct watched *w = watched;

	while (w < watched + WATCHED_MAX && w->base != 0)
		w++;
	if (w == watched + WATCHED_MAX)
		return -EUSERS;
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	struct arena_header *spare =
		mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (spare == MAP_FAILED)
		return -errno;
	spare->withdrawn = 1;
	int r = install();
	if (r < 0) {
		munmap(spare, page_bytes);
		return r;
	}
	watched_count++;
	w->bytes = bytes;
	w->spare = spare;
	w->lost = 0;
	w->lock_fd = -1;
	/* release: the handler must see the other words first */
	store_release(&w->base, (uintptr_t)base);
	return 0;
}

void sigbus_bind(const void *base, int lock_fd, uint32_t byte, const uint64_t *epoch)
{
	struct stat st;

	for (struct watched *w = watched; w < watched + WATCHED_MAX; w++) {
		if (w->base != (uintptr_t)base)
			continue;
		store_release(&w->lock_fd, -1);
		if (lock_fd < 0 || fstat(lock_fd, &st) < 0)
			return;
		w->byte = byte;
		w->lock_dev = st.st_dev;
		w->lock_ino = st.st_ino;
		w->epoch = epoch;
		store_release(&w->lock_fd, lock_fd); /* for our handler: the other words first */
		if (load_acquire(&w->lost) != 0)
			give_byte_up(w); /* it was replaced before this call */
		return;
	}
}

void sigbus_forget(const void *base)
{
	for (struct watched *w = watched; w < watched + WATCHED_MAX; w++) {
		if (w->base != (uintptr_t)base)
			continue;
		store_release(&w->base, (uintptr_t)0);
		if (w->lost == 0)
			munmap(w->spare, page_bytes);
		if (--watched_count == 0)
			uninstall();
		return;
	}
}

bool sigbus_caught(void)
{
	return load_relaxed(&caught) != 0; /* relaxed: asked after the fact */
}
