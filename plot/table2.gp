# Table 2 as bars, the paper's in grey beside this run's in the scheme's colour, a row of panels for
# each interpretation. Time is in percent of `fixed` in the same source, because milliseconds of
# different networks cannot share an axis.
# Marks: 2 4 8 9 12 13
load "style.gp"

HALF = 0.19 # distance of a bar's centre from its scheme's
BESIDE = 0.25 # distance of its number, which is wider
READING(i) = value(sprintf("READING%d", i))
ROW_TOP(i) = 112 + 296 * (i - 1)

do for [KIND in KINDS] {
    eval(BEGIN)
    set label 904 bold("the paper") at screen from_left(856), from_top(78) right \
        tc rgb PAPER_INK
    set label 905 bold("this run") at screen from_left(936), from_top(78) right \
        tc rgb INK
    set xrange [-0.6:2.6]
    set xtics textcolor rgb INK
    set ytics font SMALL textcolor rgb MUTED
    set boxwidth 2 * HALF - 0.03
    do for [R = 1:READINGS] {
        I = R - 1
        set tmargin at screen from_top(ROW_TOP(R) + 24)
        set bmargin at screen from_top(ROW_TOP(R) + 212)
        set label 1 bold(READING(R)) at screen from_left(24), from_top(ROW_TOP(R) - 34) \
            textcolor rgb INK

        set lmargin at screen from_left(64)
        set rmargin at screen from_left(320)
        set yrange [0:axis_top(TIME_MAX)]
        set ytics tic_step(TIME_MAX)
        set label 2 "time, % of fixed (labels: ms)" at screen from_left(24), from_top(ROW_TOP(R)) \
            font SMALL textcolor rgb MUTED
        plot DATA index I using 0:(0):xtic(1) with boxes lc rgb PAPER, \
             "" index I using ($0-HALF):2 with boxes lc rgb PAPER, \
             for [S = 1:words(SCHEMES)] "" index I every ::(S-1)::(S-1) using (S-1+HALF):4 \
                 with boxes lc rgb scheme_colour(word(SCHEMES, S)), \
             "" index I using ($0+HALF):5:(0):($6-$5) with vectors nohead lw 1.5 lc rgb INK, \
             "" index I using ($0-BESIDE):2:(short($3)) with labels \
                 offset 0,0.7 font SMALL tc rgb PAPER_INK, \
             "" index I using ($0+BESIDE):6:(short($7)) with labels \
                 offset 0,0.7 font SMALL tc rgb INK

        eval(TITLE_CLEAR)
        unset label 904
        unset label 905
        unset label 1
        set lmargin at screen from_left(384)
        set rmargin at screen from_left(640)
        set yrange [0:axis_top(MEMORY_MAX)]
        set ytics tic_step(MEMORY_MAX)
        set label 2 "memory committed, MB" at screen from_left(350), from_top(ROW_TOP(R))
        plot DATA index I using 0:(0):xtic(1) with boxes lc rgb PAPER, \
             "" index I using ($0-HALF):8 with boxes lc rgb PAPER, \
             for [S = 1:words(SCHEMES)] "" index I every ::(S-1)::(S-1) using (S-1+HALF):9 \
                 with boxes lc rgb scheme_colour(word(SCHEMES, S)), \
             "" index I using ($0+HALF):10:(0):($11-$10) with vectors nohead lw 1.5 lc rgb INK, \
             "" index I using ($0-HALF):8:(short($8)) with labels \
                 offset 0,0.7 font SMALL tc rgb PAPER_INK, \
             "" index I using ($0+HALF):11:(short($9)) with labels \
                 offset 0,0.7 font SMALL tc rgb INK

        set lmargin at screen from_left(700)
        set rmargin at screen from_left(936)
        set yrange [0:axis_top(THREADS_MAX)]
        set ytics tic_step(THREADS_MAX)
        set label 2 "buffering threads" at screen from_left(670), from_top(ROW_TOP(R))
        plot DATA index I using 0:(0):xtic(1) with boxes lc rgb PAPER, \
             "" index I using ($0-HALF):12 with boxes lc rgb PAPER, \
             for [S = 1:words(SCHEMES)] "" index I every ::(S-1)::(S-1) using (S-1+HALF):13 \
                 with boxes lc rgb scheme_colour(word(SCHEMES, S)), \
             "" index I using ($0-HALF):12:(int($12)) with labels \
                 offset 0,0.7 font SMALL tc rgb PAPER_INK, \
             "" index I using ($0+HALF):13:(int($13)) with labels \
                 offset 0,0.7 font SMALL tc rgb INK
        unset label 2
    }
    eval(END)
}
