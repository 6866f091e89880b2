# The paper's times as crossings: time over the share of a processor, a panel for each table, with
# the paper's times as dashed lines; below, each crossing's share with its interval. The band is the
# calibrated share. Cells slower than a panel's axis are triangles at its edge.
# Marks: 2
load "style.gp"

PANEL(i) = value(sprintf("PANEL%d", i))
COUNT(i) = value(sprintf("COUNT%d", i))
NAMES(i) = value(sprintf("NAMES%d", i))
BOTTOM(i) = value(sprintf("BOTTOM%d", i))
TOP(i) = value(sprintf("TOP%d", i))
hue(name) = strstrt("12345678", name) ? LINE[int(name)] : scheme_colour(name)
HUE(k) = hue(word(COLOURS, k))
LEFT(i) = i == 1 ? 70 : 550
RIGHT(i) = i == PANELS ? 906 : 430
# Of a line's points, so that whiskers stay apart.
DODGE(i, n) = (SHARE_MAX / SHARE_MIN) ** (0.005 * (i - (n + 1) / 2.0))
edge(v, p) = v > TOP(p) ? BOTTOM(p) + 0.97 * (TOP(p) - BOTTOM(p)) : v
shape(v, p) = v > TOP(p) ? 9 : 7
CURVES = PANELS == 1 ? COUNT(1) : COUNT(1) + COUNT(2)
INTERVALS = CURVES + 2 * PANELS # the data set of the lower panel
ROWS_TOP = 508

do for [KIND in KINDS] {
    eval(BEGIN)
    set logscale x 10
    set xrange [SHARE_MIN:SHARE_MAX]
    set xtics font SMALL textcolor rgb MUTED
    eval("set xtics (" . TICS . ")")
    set ytics font SMALL textcolor rgb MUTED
    set tmargin at screen from_top(122)
    set bmargin at screen from_top(392)
    set xlabel "share of one processor, % (logarithmic)" font SMALL textcolor rgb MUTED \
        offset 0,0.3
    if (CALIBRATED > 0) {
        set object 1 rectangle from CALIBRATED_LOW, graph 0 to CALIBRATED_HIGH, graph 1 behind \
            fillcolor rgb FAINT fillstyle solid noborder
        set arrow 1 from CALIBRATED, graph 0 to CALIBRATED, graph 1 nohead back lw 1.2 lc rgb AXIS
    }
    START = 0
    do for [P = 1:PANELS] {
        N = COUNT(P)
        C = CURVES + P - 1
        set lmargin at screen from_left(LEFT(P))
        set rmargin at screen from_left(RIGHT(P))
        set yrange [BOTTOM(P):TOP(P)]
        set ytics tic_step(0.7 * (TOP(P) - BOTTOM(P)))
        set label 1 bold(PANEL(P)) at screen from_left(LEFT(P) - 46), from_top(82) \
            textcolor rgb INK
        do for [i = 1:N] {
            X = LEFT(P) - 40 + 64 * (i - 1)
            set label (10 + i) "" at screen from_left(X), from_top(104) \
                point pt 7 ps 0.7 lc rgb HUE(START + i)
            set label (30 + i) word(NAMES(P), i) at screen from_left(X + 9), from_top(104) left \
                font SMALL textcolor rgb INK
        }
        set label 2 "dashed: the paper" at screen from_left(RIGHT(P) + 30), from_top(104) right \
            font SMALL textcolor rgb MUTED
        plot for [i = 1:N] DATA index C every ::i-1::i-1 \
                 using (SHARE_MIN):1:(SHARE_MAX - SHARE_MIN):(0) \
                 with vectors nohead lw 1.2 dt 2 lc rgb HUE(START + i), \
             for [i = 1:N] DATA index C + PANELS every ::i-1::i-1 using (SHARE_MAX):1:2 \
                 with labels left offset 0.6,0 font SMALL tc rgb HUE(START + i), \
             for [i = 1:N] DATA index (START + i - 1) using ($1 * DODGE(i, N)):3:(0):($4 - $3) \
                 with vectors nohead lw 1.2 lc rgb HUE(START + i), \
             for [i = 1:N] DATA index (START + i - 1) using 1:2 \
                 with lines lw 1.8 lc rgb HUE(START + i), \
             for [i = 1:N] DATA index (START + i - 1) \
                 using ($1 * DODGE(i, N)):(edge($2, P)):(shape($2, P)) \
                 with points pt variable ps 0.65 lc rgb HUE(START + i), \
             for [i = 1:N] DATA index C every ::i-1::i-1 using 2:1 \
                 with points pt 6 ps 1.3 lw 2 lc rgb INK
        eval(TITLE_CLEAR)
        do for [i = 1:N] { unset label (10 + i); unset label (30 + i) }
        START = START + N
    }

    set lmargin at screen from_left(220)
    set rmargin at screen from_left(790)
    set tmargin at screen from_top(ROWS_TOP)
    set bmargin at screen from_bottom(104)
    set yrange [-0.6:LINES - 0.4]
    set ytics () textcolor rgb INK
    set grid xtics noytics
    set label 1 bold("The share at which each time comes out") at screen from_left(24), \
        from_top(ROWS_TOP - 46) textcolor rgb INK
    set label 2 ANSWER at screen from_left(24), from_top(ROWS_TOP - 26) left font SMALL \
        textcolor rgb INK
    if (CALIBRATED > 0) {
        set label 3 "calibrated: " . CALIBRATED_TEXT at first CALIBRATED, graph 1 center \
            offset 0,0.5 font SMALL textcolor rgb MUTED
    }
    plot for [k = 1:LINES] DATA index INTERVALS every ::k-1::k-1 using 3:1:($4 - $3):(0) \
             with vectors nohead lw 5 lc rgb HUE(k), \
         for [k = 1:LINES] DATA index INTERVALS every ::k-1::k-1 using 2:1 \
             with points pt 6 ps 1.3 lw 2 lc rgb INK, \
         for [k = 1:LINES] DATA index INTERVALS every ::k-1::k-1 using (SHARE_MAX):1:5:ytic(6) \
             with labels left offset 1,0 font SMALL tc rgb INK
    unset label 3
    unset object 1
    unset arrow 1
    set grid noxtics ytics
    unset logscale x
    eval(END)
}
