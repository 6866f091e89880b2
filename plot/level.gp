# Candidates for Table 3's level: ours over the paper's, a panel for each. On the line both are
# equal. The circle is the paper's best cell, on which numbers are calibrated; dots are predicted.
# Marks: 2
load "style.gp"

PANEL(i) = value(sprintf("PANEL%d", i))
SCORE(i) = value(sprintf("SCORE%d", i))
COLUMNS = 4
PANEL_LEFT(i) = 64 + 226 * ((i - 1) % COLUMNS)
PANEL_TOP(i) = 128 + 270 * ((i - 1) / COLUMNS)

do for [KIND in KINDS] {
    eval(BEGIN)
    set label 904 "Up: ours, MB/s. Line: equal. Circle: the paper's best cell, on which all " . \
        "are calibrated but Table 2's share. Dots: predicted." at screen from_left(24), \
        from_top(66) left font SMALL textcolor rgb MUTED
    set xrange [PAPER_LOW:PAPER_HIGH]
    set yrange [0:axis_top(OURS_MAX)]
    set xtics 1 font SMALL textcolor rgb MUTED
    set ytics tic_step(OURS_MAX) font SMALL textcolor rgb MUTED
    do for [P = 1:PANELS] {
        set lmargin at screen from_left(PANEL_LEFT(P))
        set rmargin at screen from_left(PANEL_LEFT(P) + 180)
        set tmargin at screen from_top(PANEL_TOP(P))
        set bmargin at screen from_top(PANEL_TOP(P) + 160)
        set xlabel "the paper, MB/s" font SMALL textcolor rgb MUTED offset 0,0.3
        set label 1 bold(PANEL(P)) at screen from_left(PANEL_LEFT(P) - 40), \
            from_top(PANEL_TOP(P) - 34) font SMALL textcolor rgb INK
        set label 2 SCORE(P) at screen from_left(PANEL_LEFT(P) - 40), \
            from_top(PANEL_TOP(P) - 16) font SMALL textcolor rgb MUTED
        plot x with lines lw 1.6 lc rgb PAPER, \
             DATA index (2 * P - 2) using 1:3:(0):($4 - $3) with vectors nohead lw 1.2 \
                 lc rgb OURS, \
             "" index (2 * P - 2) using 1:2 with points pt 7 ps 0.6 lc rgb OURS, \
             "" index (2 * P - 1) using 1:2 with points pt 6 ps 1.2 lw 2 lc rgb INK
        eval(TITLE_CLEAR)
        unset label 904
    }
    eval(END)
}
