/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * strings.c: version, error strings, texts: public calls without an arena.
 */
#include <errno.h>
#include <string.h>

#include "cart/cart.h"
#include "corral.h"

struct corral_text corral_text(const char *string)
{
	return (struct corral_text){ string, string != NULL ? strlen(string) : 0 };
}

int corral_currency_digits(struct corral_text code)
{
	uint32_t currency = cart_currency(code), digits;
	char known[4];

	if (currency == 0)
		return -EINVAL;
	cart_currency_code(currency, known, &digits);
	return (int)digits;
}

const char *corral_version(void)
{
	return CORRAL_VERSION;
}

static const struct {
	int error;
	const char *text;
} meanings[] = {
	{ EINVAL, "an argument is malformed" },
	{ ENAMETOOLONG, "an id or a text is too long" },
	{ EILSEQ, "a text is not valid UTF-8, or has a NUL byte in it" },
	{ ERANGE, "a quantity, price, rate or time is out of range" },
	{ EOVERFLOW, "the amount of money does not fit 64 bits" },
	{ EDOM, "the total would be below zero" },
	{ E2BIG, "the line, or the cart, is too large, or has too many rates or adjustments" },
	{ ENOENT, "no such cart" },
	{ ENXIO, "the cart has no such line or adjustment" },
	{ EMLINK, "several lines of the cart have this menu item: name one by its number" },
	{ ENOTEMPTY, "the cart has lines or adjustments: its currency cannot be changed" },
	{ ESHUTDOWN, "the cart is checked out" },
	{ ECANCELED, "the cart's version is not the expected one, or the wait was cancelled" },
	{ ENOTUNIQ, "the operation id was given to another change" },
	{ EBUSY, "a living process has held the cart's lock for too long" },
	{ ETIMEDOUT, "the time is up" },
	{ ENOMEM, "the arena is full, or the process has no memory left" },
	{ ENFILE, "the arena has its greatest number of carts" },
	{ ENOSPC, "the disk is full" },
	{ ENOBUFS, "the buffer is too small" },
	{ EUSERS, "all process or thread records are in use" },
	{ EUCLEAN, "the stored bytes are damaged" },
	{ EROFS, "the handle is read-only (CORRAL_READ_ONLY)" },
	{ ESTALE,
	  "the arena was replaced, cut off or withdrawn, or is of another boot; or this thread "
	  "has a view that was revoked" },
	{ EBADF, "the program closed descriptors that are the library's: open the arena anew" },
	{ EPROTO, "the file is no sound arena" },
	{ EPROTONOSUPPORT,
	  "the arena has another layout version, or the location an unknown scheme" },
	{ EXDEV, "a network file system, or one in user space, or another time namespace" },
	{ EOPNOTSUPP, "the agent keeps no journal" },
	{ ENOTCONN, "no agent runs" },
	{ EDEADLK,
	  "not while this thread has an open view (end it, or corral_thread_abandon()), nor from a "
	  "signal handler" },
	{ ENOLCK, "the system has no locks of open files (OFD locks), which tell who lives" },
	{ EACCES, "permission denied" },
	{ EHOSTDOWN, "no server takes the call at present" },
	{ ELIBACC, "the module for this location is missing, or of another version" },
};

/* The error without its sign. */
static int plain(int error)
{
	return error < 0 && error > -4096 ? -error : error;
}

const char *corral_error_name(int error)
{
	const char *name = strerrorname_np(plain(error));

	return name != NULL ? name : "unknown";
}

const char *corral_strerror(int error)
{
	error = plain(error);
	if (error == 0)
		return "success";
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].error == error)
			return meanings[i].text;
	const char *text = strerrordesc_np(error);
	return text != NULL ? text : "unknown error";
}
