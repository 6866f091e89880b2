# The factors of a connection test's time: a panel for each, all on one logarithmic axis, with lines
# at the paper's two times. Dots with whiskers are measured; dashed bars are the model.
# Marks: 1 3 7
load "style.gp"

LEFT = 76
RIGHT = 92 # room for the labels of the paper's times
PITCH = (WIDTH - LEFT - RIGHT + 16.0) / PANELS
PANEL_TITLE(i) = value(sprintf("PANEL%d", i))
LEVELS(i) = value(sprintf("LEVELS%d", i))
SHIFT = 0.1 # of each mode from its level's centre
HALF = 0.34 # of a model's bar
LOW = LEAST / 2.6
HIGH = 2.6 * MOST
# A long level in two lines.
folded(s) = strlen(s) > 8 && strstrt(s, " ") ? \
    s[1:strstrt(s, " ") - 1] . "\n" . s[strstrt(s, " ") + 1:] : s

do for [KIND in KINDS] {
    eval(BEGIN)
    set label 904 bold("one after the other (sync)") at screen from_left(WIDTH - 436), \
        from_top(30) right tc rgb OTHER
    set label 905 bold("all at once (async)") at screen from_left(WIDTH - 236), from_top(30) \
        right tc rgb OURS
    set label 906 "dashed: model, not measured" at screen from_left(WIDTH - 16), from_top(30) \
        right font SMALL tc rgb MUTED
    set label 907 "time until the last connect, ms (logarithmic)" at screen from_left(24), \
        from_top(70) font SMALL tc rgb MUTED
    set logscale y 10
    set yrange [LOW:HIGH]
    set tmargin at screen from_top(106)
    set bmargin at screen from_bottom(104)
    set xtics font SMALL textcolor rgb MUTED
    do for [P = 1:PANELS] {
        I = P - 1
        if (P > 1) { eval(TITLE_CLEAR) }
        set lmargin at screen from_left(LEFT + I * PITCH)
        set rmargin at screen from_left(LEFT + P * PITCH - 16)
        set xrange [-0.55:LEVELS(P) - 0.45]
        if (P == 1) { set ytics format "%g" font SMALL textcolor rgb MUTED }
        if (P > 1) { set ytics format "" ; unset label 904; unset label 905; unset label 906; \
            unset label 907 }
        set label 1 bold(PANEL_TITLE(P)) at screen from_left(LEFT + I * PITCH), from_top(90) \
            textcolor rgb INK
        if (P == PANELS) {
            set label 2 sprintf("the paper,\nsync %g", PAPER_SYNC) at graph 1.03, \
                first PAPER_SYNC left offset 0,0.5 font SMALL tc rgb PAPER_INK
            set label 3 sprintf("the paper,\nasync %g", PAPER_ASYNC) at graph 1.03, \
                first PAPER_ASYNC left offset 0,0.5 font SMALL tc rgb PAPER_INK
        }
        plot PAPER_SYNC with lines lw 1.6 dt 1 lc rgb PAPER, \
             PAPER_ASYNC with lines lw 1.6 dt 1 lc rgb PAPER, \
             DATA index I using 1:(PAPER_SYNC):xtic(folded(strcol(2))) with dots lc rgb PAPER, \
             "" index I using ($1 - HALF):6:(2 * HALF):(0) with vectors nohead lw 1.8 dt "-" \
                 lc rgb OTHER, \
             "" index I using ($1 - HALF):10:(2 * HALF):(0) with vectors nohead lw 1.8 dt "-" \
                 lc rgb OURS, \
             "" index I using ($1 - SHIFT):4:(0):($5 - $4) with vectors nohead lw 1.6 lc rgb OTHER, \
             "" index I using ($1 + SHIFT):8:(0):($9 - $8) with vectors nohead lw 1.6 lc rgb OURS, \
             "" index I using ($1 - SHIFT):3 with points pt 7 ps 1 lc rgb OTHER, \
             "" index I using ($1 + SHIFT):7 with points pt 7 ps 1 lc rgb OURS, \
             "" index I using ($1 - SHIFT):5:(short($3)) with labels offset 0,0.8 font SMALL \
                 tc rgb OTHER, \
             "" index I using ($1 + SHIFT):8:(short($7)) with labels offset 0,-0.8 font SMALL \
                 tc rgb OURS
    }
    eval(END)
    unset logscale y
}
