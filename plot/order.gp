# Runs in their order, each divided by its cell's median: a panel for each scenario, colours by
# scheme. The axis is logarithmic, so that twice and half are equally far from 1; outliers are
# triangles at its edge.
# Marks: 2
load "style.gp"

PANEL(i) = value(sprintf("PANEL%d", i))
NEAR(i) = value(sprintf("NEAR%d", i)) # the schemes with runs within the axis,
FAR(i) = value(sprintf("FAR%d", i))   # and with runs beyond it
START(i) = value(sprintf("START%d", i))
COUNT = words(SCHEMES)
PANEL_TOP(i) = 104 + 168 * (i - 1)
EDGE = LIMIT * 1.12 # where outliers are drawn
edge(v) = v > 1 ? EDGE : 1 / EDGE

do for [KIND in KINDS] {
    eval(BEGIN)
    do for [s = 1:COUNT] {
        X = 30 + 72 * (s - 1)
        set label 910 + s "" at screen from_left(X), from_top(56) \
            point pt 7 ps 0.6 lc rgb scheme_colour(word(SCHEMES, s))
        set label 930 + s word(SCHEMES, s) at screen from_left(X + 9), from_top(56) left \
            font SMALL textcolor rgb INK
    }
    set lmargin at screen from_left(70)
    set rmargin at screen from_left(936)
    set xrange [FIRST - 0.01 * (LAST - FIRST) - 1:LAST + 0.01 * (LAST - FIRST) + 1]
    set logscale y 2
    set yrange [1 / (EDGE * 1.12):EDGE * 1.12]
    set ytics ("½×" 0.5, "0.7×" sqrt(0.5), "1×" 1, "1.4×" sqrt(2), "2×" 2) \
        font SMALL textcolor rgb MUTED
    set xtics font SMALL textcolor rgb MUTED
    do for [P = 1:PANELS] {
        A = START(P)
        B = A + words(NEAR(P))
        Z = B + words(FAR(P))
        set tmargin at screen from_top(PANEL_TOP(P))
        set bmargin at screen from_top(PANEL_TOP(P) + 112)
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
             for [s = 1:words(NEAR(P))] DATA index (A + s - 1) using 1:2 \
                 with points pt 7 ps 0.45 lc rgb scheme_colour(word(NEAR(P), s)), \
             for [s = 1:words(FAR(P))] DATA index (B + s - 1) using 1:(edge($2)) \
                 with points pt 9 ps 0.7 lc rgb scheme_colour(word(FAR(P), s)), \
             DATA index Z using 1:2 with lines lw 1.6 lc rgb INK
        eval(TITLE_CLEAR)
        do for [s = 1:COUNT] { unset label 910 + s; unset label 930 + s }
        unset label 1
    }
    unset logscale y
    set format x
    eval(END)
}
