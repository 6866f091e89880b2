/* The collector: connects to many servers through a completion port, receives through a buffer
 * scheme, measures, reports a row. */
#ifndef FANIN_COLLECTOR_COLLECTOR_H
#define FANIN_COLLECTOR_COLLECTOR_H

/* collector_main: fanin-client. Blocks until the run is over; returns the exit code. */
int collector_main(int argc, char **argv);

#endif
