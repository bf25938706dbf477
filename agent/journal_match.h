/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_match.h: do the arena and the files of the journal belong together?
 *
 * An arena of this boot, sound as it may be, and a journal with valid files need not be of the same
 * time: somebody may have put back one of them, or both from a backup into a directory that has
 * newer files, or files of another directory. So the arena's header says which file was written
 * last (by the nonce of its head), how much of it is on disk (there a CLOCK record ends) and up to
 * where anything was written. The journal goes on only if all of it holds and no later file has a
 * record; else a new base is begun, and nothing is called durable before that is whole.
 */
#ifndef CORRAL_AGENT_JOURNAL_MATCH_H
#define CORRAL_AGENT_JOURNAL_MATCH_H

#include "agent.h"

/*
 * Does the journal go on where the arena's last file ends? If not, it says why, unless no journal
 * was kept for this arena. Where the journal may know more than the arena, its files get a second
 * name (aside.h), and where its versions may be later than the arena's, these jump.
 */
bool journal_match(struct agent *agent, int journal_fd);

#endif
