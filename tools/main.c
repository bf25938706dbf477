/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: find the command (corral.c), let options.c read the call, and run it. In the end
 * common/streams.c checks that the output was written.
 */
#include <getopt.h>
#include <stdio.h>

#include "arena/sigbus.h"
#include "common/streams.h"
#include "common/text.h"
#include "tool.h"

/* Read the options before the command. Returns true when the call ends here, with *ret_code. */
static bool read_global_options(int argc, char **argv, struct call *call, enum exit_code *ret_code)
{
	static const struct option list[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int found;

	*ret_code = EXIT_DONE;
	opterr = 0;
	while ((found = getopt_long(argc, argv, "+:h", list, NULL)) != -1) {
		if (found == 'h') {
			*ret_code = run_help(call);
			return true;
		}
		if (found == 'v') {
			printf("corral %s\n", corral_version());
			return true;
		}
		if (found != 'd' || !*optarg) {
			*ret_code = complain(EXIT_USAGE, "%s: %s: see corral --help",
					     found == 'd' || found == ':' ?
						     "this option needs a value" :
						     "no such option",
					     argv[optind - 1]);
			return true;
		}
		call->dir = optarg;
	}
	return false;
}

static enum exit_code run(int argc, char **argv)
{
	static struct call call;
	enum exit_code code;

	call.item.quantity = 1;
	call.item.modifiers = call.modifiers;
	if (read_global_options(argc, argv, &call, &code))
		return code;
	if (optind == argc)
		return complain(
			EXIT_USAGE,
			"a command is missing: corral [--dir DIR] COMMAND ...: see corral --help");
	call.command = command_find(argv[optind]);
	if (!call.command)
		return complain(EXIT_USAGE, "no such command: %s: see corral --help", argv[optind]);
	code = options_read(argc - optind, argv + optind, &call);
	if (code)
		return code;
	if (call.given & HAS(OPTION_HELP)) {
		options_explain(call.command);
		return EXIT_DONE;
	}
	return call.command->run(&call);
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
