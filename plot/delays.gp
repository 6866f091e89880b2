# Shares of changes that were seen within a time: a panel for each scene, a line for each device or
# viewer, through the quantiles 50, 95, 99 and 100 %. Dashed: 60, 100 and 150 ms.
# Marks: 1
load "style.gp"

PANEL(i) = value(sprintf("PANEL%d", i))
LINE_NAME(i) = value(sprintf("LINE_NAME%d", i))
PANEL_WIDTH = (WIDTH - 40.0) / PANELS

do for [KIND in KINDS] {
    eval(BEGIN)
    do for [K = 1:LINES] {
        set label 910 + K bold(LINE_NAME(K)) at screen from_left(24 + (K - 1) % 4 * (WIDTH - 48.0) / 4), \
            from_top(72 + 16 * ((K - 1) / 4)) left font SMALL textcolor rgb LINE[1 + (K - 1) % 8]
    }
    set logscale x
    set xrange [X_MIN:X_MAX]
    set xtics (1, 10, 100, 1000) font SMALL textcolor rgb MUTED
    set yrange [0.46:1.03]
    set xlabel "ms" font SMALL textcolor rgb MUTED offset 0,0.3
    set tmargin at screen from_top(136)
    set bmargin at screen from_bottom(104)
    do for [P = 1:PANELS] {
        LEFT = 40 + (P - 1) * PANEL_WIDTH
        set lmargin at screen from_left(LEFT + 30)
        set rmargin at screen from_left(LEFT + PANEL_WIDTH - 14)
        set ytics ("50 %%" 0.5, "75 %%" 0.75, "95 %%" 0.95) font SMALL textcolor rgb MUTED
        if (P > 1) { set ytics ("" 0.5, "" 0.75, "" 0.95) }
        set label 1 bold(PANEL(P)) at screen from_left(LEFT + 30), from_top(120) \
            textcolor rgb INK font SMALL
        do for [K = 1:3] {
            set arrow K from word("60 100 150", K) + 0, graph 0 to word("60 100 150", K) + 0, \
                graph 1 nohead back dashtype 2 lw (K == 2 ? 1.8 : 1) lc rgb (K == 2 ? OTHER : AXIS)
        }
        plot for [K = 1:LINES] DATA index (P - 1) * LINES + K - 1 using 1:2 \
            with linespoints pt 7 ps 0.5 lw 2 lc rgb LINE[1 + (K - 1) % 8]
        eval(TITLE_CLEAR)
        do for [K = 1:LINES] { unset label 910 + K }
    }
    unset arrow
    eval(END)
}
