/* SPDX-License-Identifier: ISC */
/*
 * Message numbers that a command is to be made for; order is kept.  Zeroed, a
 * list is empty; the owner frees list.
 */
#ifndef RELAY_UIDS_H
#define RELAY_UIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uids {
	uint32_t *list; /* owned */
	size_t n, cap;
};

void uids_add(struct uids *u, const uint32_t *list, size_t n);
void uids_drop(struct uids *u, size_t n); /* the first n */
/* False: it was not there. */
bool uids_remove(struct uids *u, uint32_t uid);

#endif
