/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bus.c: see bus.h. In the handler: atomic loads, mremap(2) and mmap(2), nothing that
 * takes a lock.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena/bus.h"
#include "arena/layout.h"
#include "base/atomic.h"

#define WATCHED_MAX 64

struct watched {
	uintptr_t base; /* 0: none. Written last, cleared first */
	uint64_t bytes;
	void *spare;   /* a page with the header that takes the place of the arena's */
	uint32_t lost; /* 1: it was replaced, or is just being */
};

static struct watched watched[WATCHED_MAX];
static uint32_t watched_count;
static uint32_t caught;
static size_t page_bytes;
static bool installed;
static struct sigaction former;

static bool replace(struct watched *w)
{
	uint8_t *base = (uint8_t *)w->base; /* NOLINT(performance-no-int-to-ptr) */

	if (swap_acq_rel(&w->lost, 1u) != 0)
		return true; /* another thread is at it: our access fails again until it is done */
	store_relaxed(&caught, 1u);
	return mremap(w->spare, page_bytes, page_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, base) !=
		       MAP_FAILED &&
	       (w->bytes <= page_bytes ||
		mmap(base + page_bytes, w->bytes - page_bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED);
}

/* Not ours: as if we were not there. */
static void pass_on(int number, siginfo_t *info, void *context)
{
	if ((former.sa_flags & SA_SIGINFO) != 0) {
		former.sa_sigaction(number, info, context);
		return;
	}
	if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
		former.sa_handler(number);
		return;
	}
	if (former.sa_handler == SIG_IGN && info->si_code <= 0)
		return; /* sent by somebody, and not wanted */
	(void)signal(number, SIG_DFL);
	if (info->si_code <= 0)
		(void)raise(number); /* comes when we return; a fault comes again by itself */
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

static int install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus,
				    .sa_flags = SA_SIGINFO | SA_RESTART };

	if (installed)
		return 0;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, &former) < 0)
		return -errno;
	installed = true;
	return 0;
}

/* Unless somebody took the signal after us: he may go on calling us, and then we pass on. */
static void uninstall(void)
{
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
	    now.sa_sigaction == on_sigbus)
		installed = sigaction(SIGBUS, &former, NULL) < 0;
}

int bus_watch(void *base, uint64_t bytes)
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
	store_release(&w->base,
		      (uintptr_t)base); /* for our own handler: the other words come first */
	return 0;
}

void bus_forget(const void *base)
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

bool bus_caught(void)
{
	return load_relaxed(&caught) != 0; /* relaxed: asked when all is over */
}
