/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scripts.h: what runs in the server: scripts of one cart, in Lua.
 *
 * A value is a header, in which the scripts look, and a record, in which they do not:
 *
 *   byte 0       'C': a cart; 'T': a cart that has ended
 *   byte 1       '1': the format
 *   bytes 2-9    the version, the most significant byte first
 *   bytes 10-17  the id of the change that made it
 *   bytes 18-25  the id of the change that the key is kept for
 *   bytes 26-38  until when: the server's time in milliseconds, 13 digits; all 0: it is not kept
 *   bytes 39-46  the time to live in milliseconds, as the version
 *
 * The first 18 bytes are the stamp, which names one content: after a failover that lost a change,
 * its version may be given to another.
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
#define VALUE_TTL 39    /* where the time to live is */
#define VALUE_HEADER 47 /* bytes of the whole header */

/* A floor is the server's time in milliseconds, times this: so it grows faster than versions do. */
#define FLOOR_PER_MS 64u
/* A creation has to come within this time after its floor was asked for. */
#define FLOOR_FRESH_MS "60000"

/*
 * get(key; mode): {value or nil, milliseconds left, the server's time}. Mode 0 looks only; 1 renews
 * the time to live when a 128th of it has passed; 2 renews it in any case.
 */
static const char script_get[] =
	"local v = redis.call('GET', KEYS[1])\n"
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"if not v then return {false, 0, now} end\n"
	"local left = redis.call('PTTL', KEYS[1])\n"
	"if ARGV[1] ~= '0' and v:byte(1) == 67 then\n"
	"  local ttl = 0\n"
	"  for i = 40, 47 do ttl = ttl * 256 + v:byte(i) end\n"
	"  if ARGV[1] == '2' then\n"
	"    redis.call('PEXPIRE', KEYS[1], ttl)\n"
	"    left = ttl\n"
	"  elseif ttl - left > ttl / 128 then\n"
	"    if redis.pcall('PEXPIRE', KEYS[1], ttl) == 1 then left = ttl end\n"
	"  end\n"
	"end\n"
	"return {v, left, now}\n";

/*
 * swap(key; head, milliseconds, floor, id, keep): 1, and the new value stands, if the value that
 * was there begins with this head: the stamp, and that it is not kept for a change ('': nothing was
 * there, and the floor, in server time, is fresh); or if it has this stamp and is kept for this
 * change, or no longer. 2: it has this stamp, and is kept for another change. Else what get()
 * answers, and 1 if the value that is there is now kept for this change, for `keep` milliseconds.
 *
 * A script's arguments become strings of Lua, which are hashed byte by byte: for a value of 6 KB
 * that takes ten times as long as to store it. So the new value comes by a SET of its own ahead of
 * the script, under a second name in the same slot, and the script gives it the name of the key.
 * While a slot moves to another server, a command with two names is refused if only one of them is
 * there: then the value is a sixth argument.
 */
#define SCRIPT_SWAP(store, refuse)                                                                 \
	"local call, key, head, id = redis.call, KEYS[1], ARGV[1], ARGV[4]\n"                      \
	"local h = call('GETRANGE', key, 0, 38)\n"                                                 \
	"local fits = h == head\n"                                                                 \
	"local t, now\n"                                                                           \
	"if not fits or h == '' then\n"                                                            \
	"  t = call('TIME')\n"                                                                     \
	"  now = t[1] * 1000 + math.floor(t[2] / 1000)\n"                                          \
	"  if fits then\n"                                                                         \
	"    fits = now - ARGV[3] <= " FLOOR_FRESH_MS "\n"                                         \
	"  elseif head ~= '' and h:sub(1, 18) == head:sub(1, 18) then\n"                           \
	"    fits = h:sub(19, 26) == id or tonumber(h:sub(27)) < now\n"                            \
	"    if not fits then " refuse " return 2 end\n"                                           \
	"  end\n"                                                                                  \
	"end\n"                                                                                    \
	"if fits then\n"                                                                           \
	"  " store "\n"                                                                            \
	"  redis.pcall('SPUBLISH', key, '1')\n"                                                    \
	"  return 1\n"                                                                             \
	"end\n" refuse "\n"                                                                        \
	"local v = call('GET', key)\n"                                                             \
	"if not v then return {v, 0, now, 0} end\n"                                                \
	"local kept = 0\n"                                                                         \
	"if ARGV[5] ~= '0' and h:byte(2) == 49 and tonumber(h:sub(27)) < now then\n"               \
	"  local keep = id .. string.format('%013.0f', now + ARGV[5])\n"                           \
	"  if redis.pcall('SETRANGE', key, 18, keep) == #v then kept = 1 end\n"                    \
	"end\n"                                                                                    \
	"return {v, call('PTTL', key), now, kept}\n"

static const char script_swap[] = SCRIPT_SWAP("call('SET', key, ARGV[6], 'PX', ARGV[2])", "");
static const char script_rename[] = SCRIPT_SWAP(
	"call('RENAME', KEYS[2], key) call('PEXPIRE', key, ARGV[2])", "call('DEL', KEYS[2])");

#endif
