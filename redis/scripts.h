/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scripts.h: what runs in the server: two scripts of one key, in Lua.
 *
 * A value is a header, in which the scripts look, and a record, in which they do not:
 *
 *   byte 0       'C': a cart; 'T': a cart that has ended
 *   byte 1       '1': the format
 *   bytes 2-9    the version, the most significant byte first
 *   bytes 10-17  the id of the change that made it
 *   bytes 18-25  the time to live in milliseconds, as the version
 *
 * What comes before the time to live is the stamp, which names one content: after a failover that
 * lost a change, its version may be given to another.
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
#define VALUE_STAMP 18  /* bytes that say which version it is */
#define VALUE_HEADER 26 /* bytes of the whole header */

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
 * swap(key; stamp, value, milliseconds, floor): 1, and the value stands, if the value that was
 * there has this stamp ('': nothing was there, and the floor, in server time, is fresh). Else what
 * get() answers.
 */
static const char script_swap[] =
	"local function now()\n"
	"  local t = redis.call('TIME')\n"
	"  return t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"end\n"
	"local fits = redis.call('GETRANGE', KEYS[1], 0, 17) == ARGV[1]\n"
	"if fits and ARGV[1] == '' then fits = now() - ARGV[4] <= " FLOOR_FRESH_MS " end\n"
	"if fits then\n"
	"  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"
	"  redis.pcall('SPUBLISH', KEYS[1], '1')\n"
	"  return 1\n"
	"end\n"
	"local v = redis.call('GET', KEYS[1])\n"
	"local left = 0\n"
	"if v then left = redis.call('PTTL', KEYS[1]) end\n"
	"return {v, left, now()}\n";

#endif
