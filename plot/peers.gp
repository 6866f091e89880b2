# Each client's bytes per CPU second as a share of the raw loop's: a panel for each size of frames
# (left to right) and number of servers (top to bottom), a bar for each client. fanin's schemes have
# their colours, the others are grey; the line at 1 is the raw loop.
# Marks: 4
load "style.gp"

SIZE(i) = value(sprintf("SIZE%d", i))
SERVERS(i) = value(sprintf("SERVERS%d", i))
# The index of a scheme in SCHEMES; 0 is a peer.
bar_colour(place) = place > 0 ? scheme_colour(word(SCHEMES, int(place))) : PAPER
rgb(colour) = ("0x" . colour[2:7]) + 0
NAMES_WIDTH = 150
PANEL_WIDTH = (WIDTH - NAMES_WIDTH - 24.0) / COLS
THICK = 0.38 # half of a bar
cut(share) = share > SHARE_MAX ? SHARE_MAX : share

do for [KIND in KINDS] {
    eval(BEGIN)
    set label 904 bold("line: the raw loop") at screen from_left(WIDTH - 24), from_top(30) right \
        textcolor rgb RAW
    unset ytics
    set xrange [0:SHARE_MAX]
    set yrange [PLACE_MAX + 0.6:-0.6]
    set grid noytics
    set grid xtics linetype 1 linecolor rgb FAINT linewidth 1
    set border 2 linecolor rgb AXIS linewidth 1
    do for [R = 1:ROWS] {
        do for [C = 1:COLS] {
            I = (R - 1) * COLS + C - 1
            LEFT = NAMES_WIDTH + (C - 1) * PANEL_WIDTH
            TOP = 104 + (R - 1) * 230
            set lmargin at screen from_left(LEFT)
            set rmargin at screen from_left(LEFT + PANEL_WIDTH - 44)
            set tmargin at screen from_top(TOP)
            set bmargin at screen from_top(TOP + 178)
            set xtics 0, 0.25, 1 font SMALL textcolor rgb MUTED format "%g"
            if (C == 1) {
                do for [K = 1:NAMES] {
                    set label 100 + K value(sprintf("NAME%d", K)) at first 0, \
                        first value(sprintf("PLACE%d", K)) right offset -0.8,0 font SMALL \
                        textcolor rgb INK
                }
                set label 2 bold(SERVERS(R)) at screen from_left(24), from_top(TOP - 12) \
                    textcolor rgb INK
            } else {
                do for [K = 1:NAMES] { unset label 100 + K }
                unset label 2
            }
            if (R == 1) {
                set label 1 bold(SIZE(C)) at screen from_left(LEFT), from_top(TOP - 28) \
                    textcolor rgb INK
            } else {
                unset label 1
            }
            set arrow 1 from 1, graph 0 to 1, graph 1 nohead back lw 1.4 lc rgb RAW
            plot DATA index I using (0):3:(0):(cut($4)):($3 - THICK):($3 + THICK): \
                     (rgb(bar_colour($2))) with boxxyerror lc rgb variable, \
                 "" index I using (cut($5)):3:(cut($6) - cut($5)):(0) with vectors nohead lw 1.5 \
                     lc rgb INK, \
                 "" index I using (cut($6)):3:(sprintf("%.2f", $4)) with labels left offset 0.4,0 \
                     font SMALL textcolor rgb INK
            if (R == 1 && C == 1) { eval(TITLE_CLEAR); unset label 904 }
        }
    }
    unset label
    unset arrow 1
    eval(END)
}
