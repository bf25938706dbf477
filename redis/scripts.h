/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scripts.h: what runs in the server: scripts of one cart, in Lua.
 *
 * A cart is a list of two strings, in which the scripts look at the head only:
 *
 *   head         the stamp; the id of the change that the key is kept for (8 bytes); until when:
 * the server's time in milliseconds, 13 digits. All 0: it is not kept value        the stamp, the
 * time to live in milliseconds (8 bytes), and the record
 *
 * A stamp names one content. (Its version alone would not: after a failover that lost a change, the
 * version may be given to another.)
 *
 *   byte 0       'C': a cart; 'T': a cart that has ended
 *   byte 1       '1': the format
 *   bytes 2-9    the version, the most significant byte first
 *   bytes 10-17  the id of the change that made it
 *
 * A script that is refused in the middle would leave half of what it does. So what may be refused
 * (a full memory, a replica) is the first thing that writes, and what follows it cannot fail the
 * script (pcall).
 */
#ifndef CORRAL_REDIS_SCRIPTS_H
#define CORRAL_REDIS_SCRIPTS_H

#define VALUE_CART 'C'
#define VALUE_ENDED 'T'
#define VALUE_FORMAT '1'
#define VALUE_STAMP 18 /* bytes that say which version it is */
#define VALUE_NOT_KEPT                                                                             \
	"\0\0\0\0\0\0\0\0"                                                                         \
	"0000000000000"
#define VALUE_HEAD 39   /* bytes of the head */
#define VALUE_HEADER 26 /* bytes that precede the record */

/* A floor is the server's time in milliseconds, times this: so it grows faster than versions do. */
#define FLOOR_PER_MS 64u
/* A creation has to come within this time after its floor was asked for. */
#define FLOOR_FRESH_MS "60000"

/*
 * get(key; mode): {value or nil, milliseconds left, the server's time}. Mode 0 looks only; 1 renews
 * the time to live when a 128th of it has passed; 2 renews it in any case.
 */
static const char script_get[] =
	"local v = redis.call('LINDEX', KEYS[1], 1)\n"
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"if not v then return {false, 0, now} end\n"
	"local left = redis.call('PTTL', KEYS[1])\n"
	"if ARGV[1] ~= '0' and v:byte(1) == 67 then\n"
	"  local ttl = 0\n"
	"  for i = 19, 26 do ttl = ttl * 256 + v:byte(i) end\n"
	"  if ARGV[1] == '2' then\n"
	"    redis.call('PEXPIRE', KEYS[1], ttl)\n"
	"    left = ttl\n"
	"  elseif ttl - left > ttl / 128 then\n"
	"    if redis.pcall('PEXPIRE', KEYS[1], ttl) == 1 then left = ttl end\n"
	"  end\n"
	"end\n"
	"return {v, left, now}\n";

/*
 * swap(key; head, milliseconds, floor, id, keep, new head, new value): 1, and the new value stands,
 * if the head that was there is this one ('': nothing was there, and the floor, in server time, is
 * fresh); or if it has the same stamp and is kept for this change, or no longer. 2: it has the same
 * stamp, and is kept for another change. Else what get() answers, and 1 if the key is now kept for
 * this change, for `keep` milliseconds.
 */
static const char script_swap[] =
	"local call, key, head, id = redis.call, KEYS[1], ARGV[1], ARGV[4]\n"
	"local h = call('LINDEX', key, 0) or ''\n"
	"if h ~= '' and #h ~= 39 then return {err = 'WRONGTYPE this is no cart'} end\n"
	"local fits = h == head\n"
	"local t, now\n"
	"if not fits or h == '' then\n"
	"  t = call('TIME')\n"
	"  now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"  if fits then\n"
	"    fits = now - ARGV[3] <= " FLOOR_FRESH_MS "\n"
	"  elseif head ~= '' and h:sub(1, 18) == head:sub(1, 18) then\n"
	"    fits = h:sub(19, 26) == id or tonumber(h:sub(27)) < now\n"
	"    if not fits then return 2 end\n"
	"  end\n"
	"end\n"
	"if fits then\n"
	"  if h == '' then\n"
	"    call('RPUSH', key, ARGV[6], ARGV[7])\n"
	"  else\n"
	"    call('LSET', key, 1, ARGV[7])\n"
	"    redis.pcall('LSET', key, 0, ARGV[6])\n"
	"  end\n"
	"  redis.pcall('PEXPIRE', key, ARGV[2])\n"
	"  redis.pcall('SPUBLISH', key, '1')\n"
	"  return 1\n"
	"end\n"
	"local v = call('LINDEX', key, 1)\n"
	"if not v then return {v, 0, now, 0} end\n"
	"local kept = 0\n"
	"if ARGV[5] ~= '0' and h:byte(2) == 49 and tonumber(h:sub(27)) < now then\n"
	"  local keep = id .. string.format('%013.0f', now + ARGV[5])\n"
	"  local set = redis.pcall('LSET', key, 0, h:sub(1, 18) .. keep)\n"
	"  if set.ok then kept = 1 end\n"
	"end\n"
	"return {v, call('PTTL', key), now, kept}\n";

#endif
