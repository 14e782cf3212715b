/* A server that looks at nothing but the length, the id and the kind of a request: what a generator can do alone. */
#ifndef NULL_H
#define NULL_H

#include <sys/types.h>

/* Starts it in a process of its own, which ends with this one; its port goes to *port. */
pid_t start_null_server(int *port);

void end_null_server(pid_t server);

#endif
