# Figure 5: connect time over workers, the paper at the left and this run at the right, both axes from
# 0; below, async against sync on one logarithmic axis.
# Marks: 2; 2; 2 3
load "style.gp"

stats DATA index 0 using 2 nooutput name "P"
stats DATA index 1 using 1 nooutput name "W"
stats DATA index 0 using 1 nooutput name "V"
XMIN = (W_min < V_min ? W_min : V_min) - 1
XMAX = (W_max > V_max ? W_max : V_max) + 1
HAVE_PAIR = PAIR_WORKERS > 0
if (HAVE_PAIR) {
    stats DATA index 2 using 2 nooutput name "A"
    stats DATA index 2 using 3 nooutput name "S"
    LEAST_MS = A_min < S_min ? A_min : S_min
    MOST_MS = A_max > S_max ? A_max : S_max
}

do for [KIND in KINDS] {
    eval(BEGIN)
    set xrange [XMIN:XMAX]
    set xtics 2 font SMALL textcolor rgb MUTED
    set ytics font SMALL textcolor rgb MUTED
    set xlabel "workers" textcolor rgb MUTED font SMALL offset 0,0.3
    set tmargin at screen from_top(96)
    set bmargin at screen (HAVE_PAIR ? from_bottom(330) : from_bottom(110))

    eval(LEFT_PANEL)
    set yrange [0:axis_top(P_max)]
    set ytics tic_step(P_max)
    set label 1 bold("The paper, async: ms") \
        at screen from_left(24), from_top(72) textcolor rgb PAPER_INK
    plot DATA index 0 using 1:2 with linespoints lt 1 lw 2.5 pt 7 ps 0.9 lc rgb PAPER, \
         "" index 0 using 1:2:(short($2)) with labels offset 0,-1.2 font SMALL tc rgb MUTED

    eval(TITLE_CLEAR)
    eval(RIGHT_PANEL)
    set yrange [0:axis_top(OURS_MAX)]
    set ytics tic_step(OURS_MAX)
    set label 1 bold("This run, async: ms") at screen from_left(504), from_top(72) \
        textcolor rgb OURS
    plot DATA index 1 using 1:3:(0):($4-$3) with vectors nohead lw 1.5 lc rgb OURS, \
         "" index 1 using 1:2 with linespoints lt 1 lw 2.5 pt 7 ps 0.9 lc rgb OURS, \
         "" index 1 using 1:3:(short($2)) with labels offset 0,-1.2 font SMALL tc rgb MUTED

    if (HAVE_PAIR) {
        set lmargin at screen from_left(120)
        set rmargin at screen from_left(900)
        set tmargin at screen from_bottom(230)
        set bmargin at screen from_bottom(114)
        set label 1 bold(sprintf("All at once (async) against one after the other (sync), " . \
            "%d workers", PAIR_WORKERS)) at screen from_left(24), from_bottom(258) \
            textcolor rgb INK
        set yrange [-0.6:1.6]
        set ytics ("the paper" 1, "this run" 0) textcolor rgb INK
        set logscale x 10
        set xrange [LEAST_MS / 4.0:MOST_MS * 4.0]
        set xtics auto
        set format x "%g"
        set xlabel "connect time of all servers, ms (logarithmic)"
        set grid xtics noytics
        plot DATA index 2 using 2:1:($3-$2):(0) with vectors nohead lw 6 lc rgb FAINT, \
             "" index 2 using 4:1:($5-$4):(0) with vectors nohead lw 1.2 lc rgb INK, \
             "" index 2 using 6:1:($7-$6):(0) with vectors nohead lw 1.2 lc rgb INK, \
             "" index 2 using 2:1 with points pt 7 ps 1.1 lc rgb OURS, \
             "" index 2 using 3:1 with points pt 7 ps 1.1 lc rgb OTHER, \
             "" index 2 using ($4 < $6 ? $4 : $6):1:("async " . short($2)) with labels \
                 right offset -1.3,0 font SMALL tc rgb OURS, \
             "" index 2 using ($5 > $7 ? $5 : $7):1:("sync " . short($3)) with labels \
                 left offset 1.3,0 font SMALL tc rgb OTHER, \
             "" index 2 using (sqrt($2*$3)):1:(short($3/$2) . "x") with labels offset 0,0.9 \
                 font SMALL tc rgb MUTED
        unset logscale x
        set format x
        set grid noxtics ytics
    }
    eval(END)
}
