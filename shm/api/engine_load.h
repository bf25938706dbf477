/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine_load.h: which engine a location is for, and its module.
 */
#ifndef CORRAL_ENGINE_LOAD_H
#define CORRAL_ENGINE_LOAD_H

#include <stdbool.h>

#include "api/engine.h"

/* Is this a location of an engine? (Else of a directory, or of nothing that is known.) */
bool engine_is_location(const char *location);

/* Load the module of its engine. 0; -ELIBACC: there is none, or of another version; and why. */
int engine_load(const char *location, const struct engine **ret_engine, char *why);

#endif
