# Cost over the number of connections: panels for bytes per CPU second, memory per idle connection and
# latency, with a line for each scheme and whiskers from min to max. The dashed line is a bound, dotted
# ones are what the fitted prices of a connection and a byte say.
# Marks: 2
load "style.gp"

TITLE(i) = value(sprintf("TITLE%d", i))
FIRST(i) = value(sprintf("FIRST%d", i))
BOUND(i) = value(sprintf("BOUND%d", i))
NAMES(i) = value(sprintf("SCHEMES%d", i))
PANEL_WIDTH = (WIDTH - 24.0) / PANELS

do for [KIND in KINDS] {
    eval(BEGIN)
    do for [K = 1:words(NAMES(1))] {
        set label 910 + K bold(word(NAMES(1), K)) \
            at screen from_left(WIDTH - 24 - 64 * (words(NAMES(1)) - K)), from_top(30) right \
            font SMALL textcolor rgb scheme_colour(word(NAMES(1), K))
    }
    set logscale x
    set xrange [X_MIN:X_MAX]
    eval(sprintf("set xtics (%s) font SMALL textcolor rgb MUTED", TICS))
    set ytics font SMALL textcolor rgb MUTED
    set xlabel "connections" textcolor rgb MUTED font SMALL offset 0,0.3
    set tmargin at screen from_top(100)
    set bmargin at screen from_bottom(104)
    do for [I = 1:PANELS] {
        LEFT = 24 + (I - 1) * PANEL_WIDTH
        set lmargin at screen from_left(LEFT + 48)
        set rmargin at screen from_left(LEFT + PANEL_WIDTH - 12)
        set label 1 bold(TITLE(I)) at screen from_left(LEFT), from_top(76) textcolor rgb INK \
            font SMALL
        if (value(sprintf("LOGARITHMIC%d", I))) {
            set logscale y
            set yrange [*:*]
        } else {
            unset logscale y
            set yrange [*<0:*]
        }
        plot BOUND(I) > 0 ? BOUND(I) : NaN with lines dashtype 2 lw 1.4 lc rgb MUTED, \
             for [K = 1:words(NAMES(I))] DATA index FIRST(I) + K - 1 \
                 using 1:3:(0):($4 - $3) with vectors nohead lw 1.2 \
                 lc rgb scheme_colour(word(NAMES(I), K)), \
             for [K = 1:words(NAMES(I))] DATA index FIRST(I) + K - 1 using 1:2 \
                 with linespoints pt 7 ps 0.6 lw 2 lc rgb scheme_colour(word(NAMES(I), K)), \
             for [K = 1:words(NAMES(I))] DATA index FIRST(I) + K - 1 using 1:5 \
                 with lines dashtype 3 lw 1.2 lc rgb scheme_colour(word(NAMES(I), K))
        eval(TITLE_CLEAR)
        do for [K = 1:words(NAMES(1))] { unset label 910 + K }
    }
    eval(END)
}
