# Table 3 as two grids, the paper's at the left and this run's at the right. Colours show each cell's
# share of its own grid's best cell, so that the shapes can be compared although the MB/s cannot.
# Marks: 3
load "style.gp"

NROWS = words(ROWS)
NCOLS = words(COLUMNS)
set palette defined (0 "#eef4fa", 0.5 "#7fb3d8", 1 "#08519c")
set cbrange [LEAST:100]
DARK = LEAST + 0.62 * (100 - LEAST) # from here on white text reads better

do for [KIND in KINDS] {
    eval(BEGIN)
    unset border
    unset grid
    set xrange [-0.5:NCOLS - 0.5]
    set yrange [NROWS - 0.5:-0.5]
    set xtics () font SMALL textcolor rgb MUTED
    set ytics () font SMALL textcolor rgb MUTED
    do for [i = 1:NCOLS] { set xtics add (word(COLUMNS, i) i - 1) }
    do for [i = 1:NROWS] { set ytics add (word(ROWS, i) i - 1) }
    set xlabel "C: workers that may run at the same time" textcolor rgb MUTED font SMALL offset 0,0.3
    set ylabel "W: workers" textcolor rgb MUTED font SMALL offset 0.6,0
    set tmargin at screen from_top(92)
    set bmargin at screen from_bottom(150)
    set style fill solid 1.0 border rgb BACK
    unset colorbox

    set lmargin at screen from_left(80)
    set rmargin at screen from_left(470)
    set label 1 bold("The paper, MB/s") at screen from_left(24), from_top(70) \
        textcolor rgb PAPER_INK
    plot DATA index 0 using 1:2:(0.48):(0.46):3 with boxxyerror fc palette, \
         "" index 0 using 1:($3 < DARK ? $2 : NaN):4 with labels font SMALL tc rgb ON_PALE, \
         "" index 0 using 1:($3 < DARK ? NaN : $2):4 with labels font SMALL tc rgb ON_DEEP

    eval(TITLE_CLEAR)
    unset ylabel
    set lmargin at screen from_left(536)
    set rmargin at screen from_left(936)
    set label 1 bold("This run, MB/s") at screen from_left(510), from_top(70) \
        textcolor rgb OURS
    set colorbox horizontal user origin screen from_left(536), screen from_bottom(76) \
        size screen 200.0 / WIDTH, screen 12.0 / HEIGHT noborder
    set cbtics font SMALL textcolor rgb MUTED scale 0 offset 0,0.4 \
        (sprintf("%d %%%%", LEAST) LEAST, "100 %%" 100)
    set label 2 "of its grid's best cell" at screen from_left(770), from_bottom(82) \
        font SMALL textcolor rgb MUTED
    plot DATA index 1 using 1:2:(0.48):(0.46):3 with boxxyerror fc palette, \
         "" index 1 using 1:($3 < DARK ? $2 : NaN):4 with labels font SMALL tc rgb ON_PALE, \
         "" index 1 using 1:($3 < DARK ? NaN : $2):4 with labels font SMALL tc rgb ON_DEEP
    eval(END)
}
