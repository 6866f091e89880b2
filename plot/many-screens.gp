# Over the number of screens: quantiles of the delay with lines at 60, 100 and 150 ms, the wire's load,
# and the viewer's CPU time of an update. Whiskers from min to max of the runs.
# Marks: 2
load "style.gp"

TITLE(i) = value(sprintf("TITLE%d", i))
PANEL_WIDTH = (WIDTH - 24.0) / 3
QUANTILES = "p50 p95 p99"
hue(k) = k == 1 ? OURS : k == 2 ? OTHER : MUTED

do for [KIND in KINDS] {
    eval(BEGIN)
    set logscale x
    set xrange [X_MIN:X_MAX]
    eval(sprintf("set xtics (%s) font SMALL textcolor rgb MUTED", TICS))
    set ytics font SMALL textcolor rgb MUTED
    set xlabel "screens" textcolor rgb MUTED font SMALL offset 0,0.3
    set tmargin at screen from_top(112)
    set bmargin at screen from_bottom(104)
    do for [P = 1:3] {
        LEFT = 24 + (P - 1) * PANEL_WIDTH
        set lmargin at screen from_left(LEFT + 44)
        set rmargin at screen from_left(LEFT + PANEL_WIDTH - 16)
        set label 1 bold(TITLE(P)) at screen from_left(LEFT), from_top(82) textcolor rgb INK \
            font SMALL
        if (P == 1) {
            set logscale y
            set yrange [*:200<*]
            do for [K = 1:3] {
                set label 910 + K bold(word(QUANTILES, K)) at screen \
                    from_left(LEFT + 150 + 40 * K), from_top(100) font SMALL textcolor rgb hue(K)
                set arrow K from graph 0, first (word("60 100 150", K) + 0) to graph 1, \
                    first (word("60 100 150", K) + 0) nohead back dashtype 2 \
                    lw (K == 2 ? 1.8 : 1) lc rgb (K == 2 ? OTHER : AXIS)
            }
            plot for [K = 1:3] DATA index K - 1 using 1:3:(0):($4 - $3) with vectors nohead lw 1.2 \
                     lc rgb hue(K), \
                 for [K = 1:3] DATA index K - 1 using 1:2 with linespoints pt 7 ps 0.6 lw 2 \
                     lc rgb hue(K)
            eval(TITLE_CLEAR)
            do for [K = 1:3] { unset label 910 + K; unset arrow K }
        } else {
            unset logscale y
            set yrange [0:*]
            plot DATA index P + 1 using 1:3:(0):($4 - $3) with vectors nohead lw 1.2 lc rgb OURS, \
                 "" index P + 1 using 1:2 with linespoints pt 7 ps 0.6 lw 2 lc rgb OURS
        }
    }
    eval(END)
}
