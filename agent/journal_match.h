/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_match.h: do the arena and the files of the journal belong together?
 *
 * A valid arena of this boot and a journal with valid files need not be of the same time: one of
 * them may have been restored, or both from a backup into a directory with newer files, or with
 * files of another directory. So the arena's header says which file was written last (by the nonce
 * in its head), how much of it is on disk (a CLOCK record ends there), and up to where anything was
 * written. The journal is continued only if all of this matches and no later file has a record;
 * else a new base is begun, and nothing is called durable until that is whole.
 */
#ifndef CORRAL_AGENT_JOURNAL_MATCH_H
#define CORRAL_AGENT_JOURNAL_MATCH_H

#include "agent.h"

/*
 * Does the journal continue where the arena's last file ends? If not, the reason is logged, unless
 * no journal was kept for this arena. If the journal may have newer carts than the arena, its files
 * are kept (aside.h); if its versions may be later than the arena's, these jump.
 */
bool journal_match(struct agent *agent, int journal_fd);

#endif
