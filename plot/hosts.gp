# Hosts over the runs in their order: a panel for each scenario and fleet, colours by host. The axis
# is logarithmic, so that a time 1.2 times the median host's is as far from 1 as its inverse.
# Marks: 2
load "style.gp"

PANEL(i) = value(sprintf("PANEL%d", i))
HOST(i) = value(sprintf("HOST%d", i))
SETS = 2 * HOSTS + 1 # of a panel: points and line of each host, then the others' points
PANEL_TOP(i) = 104 + 190 * (i - 1)
colour(i) = i > HOSTS ? AXIS : LINE[i]
name_of(i) = i > HOSTS ? "others" : HOST(i)
EDGE = REACH ** 1.08
LEGEND = 112

do for [KIND in KINDS] {
    eval(BEGIN)
    do for [h = 1:HOSTS + OTHERS] {
        X = 30 + LEGEND * (h - 1)
        set label 910 + h "" at screen from_left(X), from_top(56) \
            point pt 7 ps 0.6 lc rgb colour(h)
        set label 930 + h name_of(h) at screen from_left(X + 9), \
            from_top(56) left font SMALL textcolor rgb INK noenhanced
    }
    set lmargin at screen from_left(70)
    set rmargin at screen from_left(936)
    set xrange [FIRST - 0.01 * (LAST - FIRST) - 1:LAST + 0.01 * (LAST - FIRST) + 1]
    set logscale y 10
    set yrange [1 / EDGE:EDGE]
    eval("set ytics (" . TICS . ") font SMALL textcolor rgb MUTED")
    set xtics font SMALL textcolor rgb MUTED
    do for [P = 1:PANELS] {
        A = SETS * (P - 1)
        set tmargin at screen from_top(PANEL_TOP(P))
        set bmargin at screen from_top(PANEL_TOP(P) + 134)
        set label 1 PANEL(P) at screen from_left(24), from_top(PANEL_TOP(P) - 16) \
            font SMALL textcolor rgb INK noenhanced
        if (P == PANELS) {
            set xlabel "order of the run in the sweep" textcolor rgb MUTED font SMALL offset 0,0.3
            set format x "%g"
        } else {
            unset xlabel
            set format x ""
        }
        plot 1 with lines lw 1 lc rgb AXIS, \
             DATA index (A + 2 * HOSTS) using 1:2 with points pt 7 ps 0.35 lc rgb AXIS, \
             for [h = 1:HOSTS] DATA index (A + 2 * h - 2) using 1:2 \
                 with points pt 7 ps 0.45 lc rgb colour(h), \
             for [h = 1:HOSTS] DATA index (A + 2 * h - 1) using 1:2 with lines lw 1.6 lc rgb colour(h)
        eval(TITLE_CLEAR)
        do for [h = 1:HOSTS + OTHERS] { unset label 910 + h; unset label 930 + h }
        unset label 1
    }
    unset logscale y
    set format x
    eval(END)
}
