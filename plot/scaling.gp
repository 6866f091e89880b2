# Throughput over the concurrency limit and the scaling law fitted to it: the paper at the left, this
# run at the right, where the band is the interval of the law's peak.
load "style.gp"

do for [KIND in KINDS] {
    eval(open_picture(KIND, NAME, WIDTH, HEIGHT))
    set multiplot
    eval(TITLE_SETUP)
    SMALL = small(KIND)
    set xrange [0:N_MAX * 1.05]
    set xtics 2 font SMALL textcolor rgb MUTED
    set ytics font SMALL textcolor rgb MUTED
    set xlabel "C: workers that may run at once" textcolor rgb MUTED font SMALL offset 0,0.3
    set tmargin at screen from_top(92)
    set bmargin at screen from_bottom(112)

    set lmargin at screen from_left(70)
    set rmargin at screen from_left(460)
    set yrange [0:axis_top(PAPER_MAX)]
    set ytics tic_step(PAPER_MAX)
    set label 1 bold("The paper, MB/s (100 Mbit/s LAN)") at screen from_left(24), from_top(70) \
        textcolor rgb PAPER_INK
    plot DATA index 0 using 1:3:(0):($4-$3) with vectors nohead lw 1.2 lc rgb PAPER, \
         DATA index 1 using 1:2 with lines lw 2 lc rgb PAPER, \
         DATA index 0 using 1:2 with points pt 7 ps 0.8 lc rgb PAPER_INK

    eval(TITLE_CLEAR)
    set lmargin at screen from_left(550)
    set rmargin at screen from_left(936)
    set yrange [0:axis_top(OURS_MAX)]
    set ytics tic_step(OURS_MAX)
    set label 1 bold("This run, MB/s (" . LINK . ")") at screen from_left(504), from_top(70) \
        textcolor rgb OURS
    if (PEAK_HIGH > 0) {
        set object 1 rectangle from PEAK_LOW - 0.04, graph 0 to PEAK_HIGH + 0.04, graph 1 \
            behind fillcolor rgb FAINT fillstyle solid 1 noborder
        set label 2 "peak, 95 %" at PEAK_LOW, graph 0.04 offset 0.8,0 font SMALL \
            textcolor rgb MUTED
    }
    plot DATA index 2 using 1:3:(0):($4-$3) with vectors nohead lw 1.2 lc rgb OURS, \
         DATA index 3 using 1:2 with lines lw 2 lc rgb OURS, \
         DATA index 2 using 1:2 with points pt 7 ps 0.8 lc rgb OURS
    unset object 1
    unset label 1
    unset label 2
    unset multiplot
    unset output
}
