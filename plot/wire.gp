# On which links the buffer scheme matters: a line for each scheme over links, from the slowest to
# loopback. Left: the time as a multiple of the link's floor. Right: the client's CPU seconds per GB.
# Marks: 2 5
load "style.gp"

LINK(i) = value(sprintf("LINK%d", i))
FLOOR(i) = value(sprintf("FLOOR%d", i))
COUNT = words(SCHEMES)
DODGE(i) = 0.024 * (i - 1 - (COUNT - 1) / 2.0)

do for [KIND in KINDS] {
    eval(BEGIN)
    set logscale y 10
    set xrange [-0.35:LINKS - 0.65]
    set ytics font SMALL textcolor rgb MUTED format "%g"
    set xtics font SMALL textcolor rgb INK
    set xtics ("" -1)
    set for [I = 1:LINKS] xtics add (LINK(I) I - 1)
    set tmargin at screen from_top(112)
    set bmargin at screen from_bottom(104)
    do for [SIDE = 0:1] {
        set lmargin at screen from_left(SIDE == 0 ? 64 : 620)
        set rmargin at screen from_left(SIDE == 0 ? 482 : 1038)
        if (SIDE == 0) {
            set yrange [LEFT_LOW:LEFT_HIGH]
            set ytics ("1" 1, "1.5" 1.5, "2" 2, "3" 3, "5" 5, "10" 10, "20" 20, "50" 50, \
                "100" 100)
            if (LEFT_HIGH < 5 * LEFT_LOW) { set ytics add ("1.1" 1.1, "1.2" 1.2) }
            set label 1 bold("Time, as a multiple of the link's floor") \
                at screen from_left(24), from_top(84) textcolor rgb INK
            do for [I = 1:LINKS] {
                set label (10 + I) FLOOR(I) at first I - 1, graph -0.12 center font SMALL \
                    textcolor rgb MUTED
            }
        } else {
            eval(TITLE_CLEAR)
            do for [I = 1:LINKS] { unset label (10 + I) }
            set yrange [RIGHT_LOW:RIGHT_HIGH]
            set ytics ("0.05" 0.05, "0.1" 0.1, "0.2" 0.2, "0.5" 0.5, "1" 1, "2" 2, "5" 5, \
                "10" 10, "20" 20, "50" 50)
            set label 1 bold("Client, CPU seconds per GB") at screen from_left(580), from_top(84) \
                textcolor rgb INK
        }
        M = SIDE == 0 ? 2 : 5
        plot for [S = 1:COUNT] DATA index S - 1 using ($1 + DODGE(S)):M with lines lw 2 \
                 lc rgb scheme_colour(word(SCHEMES, S)), \
             for [S = 1:COUNT] "" index S - 1 using ($1 + DODGE(S)):(column(M + 1)):(0): \
                 (column(M + 2) - column(M + 1)) with vectors nohead lw 1.4 \
                 lc rgb scheme_colour(word(SCHEMES, S)), \
             for [S = 1:COUNT] "" index S - 1 using ($1 + DODGE(S)):M with points pt 7 ps 0.9 \
                 lc rgb scheme_colour(word(SCHEMES, S)), \
             "" index COUNT + SIDE using 2:3:1 with labels left offset 2,0 font SMALL \
                 textcolor rgb INK
    }
    do for [I = 1:20] { unset label I }
    eval(END)
    unset logscale y
}
