/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: find the command (corral.c), let options.c read the call, and run it. In the end
 * common/streams.c checks that the output was written.
 */
#include <stdio.h>

#include "arena/sigbus.h"
#include "common/streams.h"
#include "common/text.h"
#include "tool.h"

static enum exit_code run(int argc, char **argv)
{
	static struct call call;
	enum exit_code code;
	int at;
	bool go;

	call.item.quantity = 1;
	call.item.modifiers = call.modifiers;
	code = options_read_first(argc, argv, &call, &at, &go);
	if (!go)
		return code;
	if (at == argc)
		return complain(
			EXIT_USAGE,
			"a command is missing: corral [--dir DIR] COMMAND ...: see corral --help");
	call.command = command_find(argv[at]);
	if (call.command == NULL)
		return EXIT_USAGE;
	code = options_read(argc - at, argv + at, &call, &go);
	return go ? call.command->run(&call) : code;
}

int main(int argc, char **argv)
{
	enum exit_code code;

	streams_begin("corral");
	text_begin();
	code = run(argc, argv);
	if (sigbus_caught())
		code = complain(EXIT_ARENA,
				"a part of the arena could not be read while we looked at it "
				"(SIGBUS): it was truncated, or its disk fails or is full; what "
				"was printed may be wrong");
	return (int)code;
}
