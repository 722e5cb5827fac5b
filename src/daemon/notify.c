/* SPDX-License-Identifier: ISC */
#include "daemon/notify.h"

#include <systemd/sd-daemon.h>

void
notify_ready(unsigned accounts)
{
	sd_notifyf(0, "READY=1\nSTATUS=%u accounts", accounts);
}

void
notify_stopping(uint64_t grace)
{
	sd_notifyf(0,
	    "STOPPING=1\nSTATUS=finishing what is on the wire\n"
	    "EXTEND_TIMEOUT_USEC=%llu",
	    (unsigned long long)(grace + 5) * 1000000);
}
