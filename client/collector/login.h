/* How a login ends, if not with "OK". Each server that was connected is accepted or has one of
 * these names, which are the same on every engine. */
#ifndef FANIN_COLLECTOR_LOGIN_H
#define FANIN_COLLECTOR_LOGIN_H

#include <stddef.h>

#define LOGIN_REFUSED "login-refused" /* the server says NO: final, whatever else is tried again */
#define LOGIN_TIMEOUT "login-timeout" /* no whole answer within --login-timeout */
#define LOGIN_CLOSED  "login-closed"  /* the server ended the connection instead */
#define LOGIN_RESET   "login-reset"   /* or reset it */
#define LOGIN_GARBAGE "login-garbage" /* an answer that is neither OK nor NO */
#define LOGIN_FAILED  "login-failed"  /* the system let it fail in another way */

/* login_verdict: NULL for "OK", or what the answer, a line without its end, says instead. */
const char *login_verdict(const char *answer, size_t bytes);

/* login_error: what a portable negative code means during a login; 0: the peer has finished. */
const char *login_error(int code);

/* login_short_name: a name as the row's login_errors count it: "refused". One that is not of this
 * file stays as it is. */
const char *login_short_name(const char *name);

#endif
