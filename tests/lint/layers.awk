# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may include whom. Usage: awk -f layers.awk layers FILE...   (all .c and .h files, by path)
# Prints each breach; the exit code is 1 if there was one.

function breach(text) {
	print FILENAME ":" FNR ": " text
	breaches++
}

# The layer of a file: the path itself where a header stands alone, else its folder; "" if it has none.
function layer_of(path) {
	if (path in rank)
		return path
	sub(/\/[^\/]*$/, "", path)
	return path in rank ? path : ""
}

# The file that #include "header" means in FILENAME, or "".
function find_header(header,    here) {
	here = FILENAME
	sub(/[^\/]*$/, "", here)
	if (here header in exists)
		return here header
	if ("shm/" header in exists)
		return "shm/" header
	if ("tools/" header in exists)
		return "tools/" header
	if ("clients/" header in exists)
		return "clients/" header
	return "bench/" header in exists ? "bench/" header : ""
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
	from = layer_of(FILENAME)
	target = find_header(header)
	to = layer_of(target)
	if (target == "")
		breach("\"" header "\" is not there")
	else if (from == "" || from == to)
		return # a file without a layer is told of once, in its own line 1
	else if (to == "")
		breach("\"" header "\" has no layer")
	else if (from in sees) {
		if (index(sees[from], " " to " ") == 0 && index(sees[from], " " target " ") == 0)
			breach("\"" header "\": " from " sees only" sees[from])
	} else if (rank[to] >= rank[from])
		breach("\"" header "\" is of " to ", a layer above " from)
	else if (index(header, "/") == 0 && target != "shm/corral.h")
		breach("\"" header "\" shall name its folder")
}

FILENAME == ARGV[1] && $1 == "foreign" {
	name = $2
	sub(/:$/, "", name)
	for (i = 3; i <= NF; i++)
		foreign[name] = foreign[name] " " $i
}

FILENAME == ARGV[1] && ($1 == "layer" || $1 == "side") {
	rank[$2] = ++layers
	if ($1 == "side") {
		sees[$2] = " "
		for (i = 4; i <= NF; i++)
			sees[$2] = sees[$2] $i " "
	}
}

FILENAME == ARGV[1] { next }

BEGIN {
	for (i = 2; i < ARGC; i++)
		exists[ARGV[i]] = 1
}

FNR == 1 && FILENAME !~ /^tests\// && layer_of(FILENAME) == "" {
	breach("is in no layer; add its folder to tests/lint/layers")
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
