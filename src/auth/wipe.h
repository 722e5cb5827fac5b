/* SPDX-License-Identifier: ISC */
/*
 * Memory of libraries that tokens pass through: jansson and libcurl are told to
 * wipe what they free.  OpenSSL's record buffers are out of reach.
 */
#ifndef AUTH_WIPE_H
#define AUTH_WIPE_H

/* Before either library is used for a secret and while no thread but this one
 * runs in them; again does no harm.  What was allocated before may be freed
 * after. */
void wipe_libraries(void);

#endif
