# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may include whom. Usage: awk -f floors.awk floors FILE...   (all .c and .h files, by path)
# Prints each breach; the exit code is 1 if there was one.

function breach(text) {
	print FILENAME ":" FNR ": " text
	breaches++
}

# The room of a file, or "".
function room_of(path) {
	sub(/\.[a-z]+$/, "", path)
	if (path in room)
		return room[path]
	sub(/[^\/]*$/, "", path)
	return path in room ? room[path] : ""
}

# The file that #include "header" means in FILENAME, or "".
function find_header(header,    here) {
	here = FILENAME
	sub(/[^\/]*$/, "", here)
	if (header ~ /^\.\.\//)
		return substr(header, 4) in exists ? substr(header, 4) : ""
	if (here header in exists)
		return here header
	if ("shm/" header in exists)
		return "shm/" header
	return "agent/" header in exists ? "agent/" header : ""
}

function check_foreign(header,    prefix, count, allowed, i) {
	for (prefix in foreign) {
		if (index(header, prefix) != 1)
			continue
		count = split(foreign[prefix], allowed, " ")
		for (i = 1; i <= count; i++)
			if (index(FILENAME, allowed[i]) == 1)
				return
		breach("<" header "> may be included by" foreign[prefix] " only")
	}
}

function check_own(header,    target, from, to) {
	from = room_of(FILENAME)
	target = find_header(header)
	sub(/.*\//, "", header)
	to = room_of(target)
	if (target == "")
		breach("\"" header "\" is not there")
	else if (from == "" || to == "" || from == to)
		return # a file without a room is told of once, in its own line 1
	else if (side[from] && index(seen[from], " " header " ") == 0)
		breach("\"" header "\": the side wing sees only" seen[from])
	else if (!side[from] && floor[to] >= floor[from] && index(seen[from], " " header " ") == 0)
		breach("\"" header "\" is on floor " floor[to] ", this file on floor " floor[from])
}

function read_list(    name, i, list) {
	if ($1 == "foreign") {
		name = $2
		sub(/:$/, "", name)
		for (i = 3; i <= NF; i++)
			foreign[name] = foreign[name] " " $i
		return
	}
	name = $3
	floor[name] = $2
	side[name] = $1 == "side"
	seen[name] = " "
	for (i = 4; i <= NF; i++) {
		if ($i == "+" || $i == "=")
			list = 1
		else if (list)
			seen[name] = seen[name] $i " "
		else
			room[$i] = name
	}
}

BEGIN {
	for (i = 2; i < ARGC; i++)
		exists[ARGV[i]] = 1
}

FILENAME == ARGV[1] {
	if ($1 == "floor" || $1 == "side" || $1 == "foreign")
		read_list()
	next
}

FNR == 1 && FILENAME !~ /^tests\// && room_of(FILENAME) == "" {
	breach("is in no room; add it to tests/lint/floors")
}

# A file's head says its floor: it must be the true one.
FNR < 6 && match($0, /\(floor [0-9]+/) && room_of(FILENAME) != "" {
	said = substr($0, RSTART + 7, RLENGTH - 7)
	if (said != floor[room_of(FILENAME)])
		breach("says floor " said ", but tests/lint/floors says " floor[room_of(FILENAME)])
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	header = $0
	sub(/^[^<]*</, "", header)
	sub(/>.*/, "", header)
	check_foreign(header)
}

# Tests may look everywhere.
/^[ \t]*#[ \t]*include[ \t]*"/ && FILENAME !~ /^tests\// {
	header = $0
	sub(/^[^"]*"/, "", header)
	sub(/".*/, "", header)
	check_own(header)
}

END { exit breaches > 0 }
