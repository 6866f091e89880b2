# Table 3 as lines over workers, one for each concurrency, both panels from 0. The points of
# concurrencies with a single number of workers form the line C=W.
# Marks: 3
load "style.gp"

WORKERS_MIN = real(word(WORKERS, 1))
WORKERS_MAX = real(word(WORKERS, words(WORKERS)))
TOP = CEILING > OURS_MAX ? CEILING : OURS_MAX
SPAN = WORKERS_MAX > WORKERS_MIN ? WORKERS_MAX - WORKERS_MIN : 1.0
NAMES = PAPER_LINES + OUR_LINES # the data sets with the positions of the lines' labels

do for [KIND in KINDS] {
    eval(BEGIN)
    set xrange [WORKERS_MIN - 0.06 * SPAN:WORKERS_MAX + 0.18 * SPAN]
    set xtics () font SMALL textcolor rgb MUTED
    do for [i = 1:words(WORKERS)] { set xtics add (word(WORKERS, i) real(word(WORKERS, i))) }
    set ytics font SMALL textcolor rgb MUTED
    set xlabel "W: workers" textcolor rgb MUTED font SMALL offset 0,0.3
    set tmargin at screen from_top(92)
    set bmargin at screen from_bottom(112)

    eval(LEFT_PANEL)
    set yrange [0:axis_top(PAPER_MAX)]
    set ytics tic_step(PAPER_MAX)
    set label 1 bold("The paper, MB/s") at screen from_left(24), from_top(70) \
        textcolor rgb PAPER_INK
    plot for [i = 0:PAPER_LINES - 1] DATA index i using 2:3 \
             with linespoints lt 1 lw 2.2 pt 7 ps 0.7 \
             lc rgb LINE[int(word(PAPER_COLOURS, i + 1))], \
         for [i = 0:PAPER_LINES - 1] "" index NAMES every ::i::i using 2:3:1 with labels left \
             offset 0.8,0 font SMALL tc rgb LINE[int(word(PAPER_COLOURS, i + 1))]

    eval(TITLE_CLEAR)
    eval(RIGHT_PANEL)
    set yrange [0:axis_top(TOP)]
    set ytics tic_step(TOP)
    set label 1 bold("This run, MB/s") at screen from_left(504), from_top(70) \
        textcolor rgb OURS
    if (CEILING > 0) {
        set arrow 1 from graph 0, first CEILING to graph 1, first CEILING nohead \
            lw 1.2 dt 2 lc rgb MUTED
        set label 2 "ceiling: " . CEILING_NAME at graph 0.02, first CEILING \
            offset 0,0.7 font SMALL textcolor rgb MUTED
    }
    plot for [i = 0:OUR_LINES - 1] DATA index (PAPER_LINES + i) using 2:4:(0):($5-$4) \
             with vectors nohead lw 1.2 lc rgb LINE[int(word(OUR_COLOURS, i + 1))], \
         for [i = 0:OUR_LINES - 1] "" index (PAPER_LINES + i) using 2:3 \
             with linespoints lt 1 lw 2.2 pt 7 ps 0.7 lc rgb LINE[int(word(OUR_COLOURS, i + 1))], \
         for [i = 0:OUR_LINES - 1] "" index NAMES + 1 every ::i::i using 2:3:1 with labels left \
             offset 0.8,0 font SMALL tc rgb LINE[int(word(OUR_COLOURS, i + 1))]
    unset arrow 1
    eval(END)
}
