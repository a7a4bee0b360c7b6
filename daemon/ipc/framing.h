/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

/* Whether the head of a request can be read in two ways where its body ends: two lengths, a length and a
 * coding, a name with a blank in it. libmicrohttpd takes the first that it understands.
 * Source: RFC 9112, sections 5.1 and 6.3. */
bool framing_is_ambiguous(struct MHD_Connection *connection);
