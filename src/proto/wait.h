/* SPDX-License-Identifier: ISC */
/*
 * What a protocol machine is waiting for, so that its owner knows which
 * deadline applies.  The machines have no clock; each row of their state
 * tables names one of these, and relay/server turns it into seconds.
 */
#ifndef PROTO_WAIT_H
#define PROTO_WAIT_H

enum wait_class {
	WAIT_NONE,     /* nothing is outstanding: the peer owes us nothing */
	WAIT_GREETING, /* RFC 5321 4.5.3.2.1: 5 minutes */
	WAIT_COMMAND,  /* a reply to a command (MAIL, RCPT, LIST ...): 5 min */
	WAIT_LOGIN,    /* a reply to credentials: servers delay on purpose */
	WAIT_DATA,     /* 354 to DATA: 2 minutes */
	WAIT_BODY,     /* message bytes in either direction: 3 min a piece */
	WAIT_DOT,      /* the reply to the final dot: 10 minutes and more */
	WAIT_QUIT,     /* a goodbye nobody needs: short */
	WAIT_CLASSES
};

#endif
