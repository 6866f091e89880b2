# The one look of all figures: white, quiet, colour-blind-safe (Okabe and Ito's blue and vermilion
# beside a grey for the paper). Loaded by every figure's script.

PAPER = "#9aa3ab"
PAPER_INK = "#69737d"
OURS  = "#0072b2"
OTHER = "#d55e00"
INK   = "#1f2933"
MUTED = "#5f6b76"
FAINT = "#e4e8ec"

# Lines that stay apart for colour-blind readers; the last is C=W.
array LINE[8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", \
                 "#56b4e9", "#6a51a3", "#1f2933"]

# Both pictures come from the same commands; the PNG has two pixels where the SVG has one.
open_svg(name, w, h) = sprintf("set terminal svg size %d,%d dynamic enhanced " . \
    "background '#ffffff' font 'Arial,14'; set output '%s.svg'", w, h, name)
open_png(name, w, h) = sprintf("set terminal pngcairo size %d,%d enhanced " . \
    "background '#ffffff' font 'Arial,10.5' fontscale 2 linewidth 2 pointscale 2; " . \
    "set output '%s.png'", 2 * w, 2 * h, name)
open_picture(kind, name, w, h) = kind eq "svg" ? open_svg(name, w, h) : open_png(name, w, h)

# Distances in pixels from the left and the bottom edge, so that figures of any height look alike.
from_left(x)   = x / (1.0 * WIDTH)
from_top(y)    = 1 - y / (1.0 * HEIGHT)
from_bottom(y) = y / (1.0 * HEIGHT)

# A whole number of labelled steps up to a little above the highest value.
magnitude(v) = 10 ** floor(log10(v))
tidy(v)      = v / magnitude(v) <= 1 ? magnitude(v) : v / magnitude(v) <= 2 ? 2 * magnitude(v) : \
               v / magnitude(v) <= 5 ? 5 * magnitude(v) : 10 * magnitude(v)
tic_step(v)  = tidy(v / 5.0)
axis_top(v)  = tic_step(v) * ceil(1.06 * v / tic_step(v))

# Three significant digits, no exponent.
short(v) = v >= 99.95 ? sprintf("%.0f", v) : v >= 9.995 ? sprintf("%.1f", v) : sprintf("%.2f", v)

set encoding utf8
set border 1 linecolor rgb "#aab2ba" linewidth 1
set tics nomirror textcolor rgb MUTED scale 0
set grid ytics linetype 1 linecolor rgb FAINT linewidth 1
set style fill solid 1.0 noborder
set key off
set datafile missing "NaN"

# Title, footers: placed once a page, before the first panel.
TITLE_SETUP = "set label 901 bold(TITLE) at screen from_left(24), from_top(30) left " . \
    "font 'Arial,' . (KIND eq 'svg' ? '18' : '13.5') textcolor rgb INK; " . \
    "set label 902 FOOTER at screen from_left(24), from_bottom(34) left noenhanced " . \
    "font 'Arial,' . (KIND eq 'svg' ? '11.5' : '8.6') textcolor rgb MUTED; " . \
    "set label 903 MACHINE at screen from_left(24), from_bottom(16) left noenhanced " . \
    "font 'Arial,' . (KIND eq 'svg' ? '11.5' : '8.6') textcolor rgb MUTED"
TITLE_CLEAR = "unset label 901; unset label 902; unset label 903"
small(kind) = kind eq "svg" ? "Arial,12" : "Arial,9"
bold(text)  = "{/:Bold " . text . "}" # the one way that both terminals understand
