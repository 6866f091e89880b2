# The style of all figures, loaded by every figure's script. Every colour has a name here; page.css
# gives each name a second value for dark mode.

PAPER = "#9aa3ab"
PAPER_INK = "#69737d"
OURS  = "#0072b2"
OTHER = "#aa3377"
INK   = "#1f2933"
MUTED = "#5f6b76"
FAINT = "#e4e8ec"
AXIS  = "#aab2ba"
BACK  = "#ffffff"

# A receive-buffer scheme has one colour in all figures (after Okabe and Ito); chain is the default
# scheme and shares the colour of OURS.
FIXED = "#d55e00"
RING  = "#009e73"
CHAIN = OURS
SLICES = "#6a3d9a"
MIRROR = "#8c6d1f"
DRAIN = "#cc79a7"
RAW   = "#e69f00"
scheme_colour(name) = name eq "fixed" ? FIXED : name eq "ring" ? RING : name eq "chain" ? CHAIN : \
    name eq "slices" ? SLICES : name eq "mirror" ? MIRROR : name eq "drain" ? DRAIN : name eq "raw" ? RAW : OTHER

# Colours of lines that colour-blind readers can distinguish, and that differ from the schemes' (after
# Tol's muted set); the last is C=W.
array LINE[8] = ["#882255", "#44aa99", "#999933", "#332288", "#cc6677", \
                 "#88ccee", "#aa4499", INK]

# Text on a heat map's cells, which have the same colours in dark mode.
ON_PALE = "#1b2530"
ON_DEEP = "#fdfeff"

# All formats come from the same commands; the PNG has twice the SVG's pixels. KINDS are the formats
# to draw, and may be set before this file is loaded.
if (!exists("KINDS")) KINDS = "svg png pdf"
open_svg(name, w, h) = sprintf("set terminal svg size %d,%d dynamic enhanced " . \
    "background '#ffffff' font 'Arial,14'; set output '%s.svg'", w, h, name)
open_png(name, w, h) = sprintf("set terminal pngcairo size %d,%d enhanced " . \
    "background '#ffffff' font 'Arial,10.5' fontscale 2 linewidth 2 pointscale 2; " . \
    "set output '%s.png'", 2 * w, 2 * h, name)
open_pdf(name, w, h) = sprintf("set terminal pdfcairo size %gin,%gin enhanced " . \
    "background '#ffffff' font 'Arial,10.5' fontscale 0.75 linewidth 1.5 pointscale 1; " . \
    "set output '%s.pdf'", w / 96.0, h / 96.0, name)
open_picture(kind, name, w, h) = kind eq "svg" ? open_svg(name, w, h) : \
    kind eq "pdf" ? open_pdf(name, w, h) : open_png(name, w, h)

# Distances in pixels from the edges, for figures of any size.
from_left(x)   = x / (1.0 * WIDTH)
from_top(y)    = 1 - y / (1.0 * HEIGHT)
from_bottom(y) = y / (1.0 * HEIGHT)

# The axis ends at a whole number of tics, a little above the highest value.
magnitude(v) = 10 ** floor(log10(v))
tidy(v)      = v / magnitude(v) <= 1 ? magnitude(v) : v / magnitude(v) <= 2 ? 2 * magnitude(v) : \
               v / magnitude(v) <= 5 ? 5 * magnitude(v) : 10 * magnitude(v)
tic_step(v)  = tidy(v / 5.0)
axis_top(v)  = tic_step(v) * ceil(1.06 * v / tic_step(v))

# Three significant digits, no exponent.
short(v) = v >= 99.95 ? sprintf("%.0f", v) : v >= 9.995 ? sprintf("%.1f", v) : sprintf("%.2f", v)

reset # settings that a user's own file made, where this is drawn again without -d
set encoding utf8
set datafile separator whitespace
set datafile commentschars "#"
unset decimalsign
set border 1 linecolor rgb AXIS linewidth 1
set tics nomirror textcolor rgb MUTED scale 0
set grid ytics linetype 1 linecolor rgb FAINT linewidth 1
set style fill solid 1.0 noborder
set key off
set datafile missing "NaN"

# Title, subtitle and footers: placed once, before the first panel.
TITLE_SETUP = "set label 901 bold(TITLE) at screen from_left(24), from_top(30) left " . \
    "font 'Arial,' . (KIND eq 'svg' ? '18' : '13.5') textcolor rgb INK; " . \
    "set label 900 SUBTITLE at screen from_left(24), from_top(50) left noenhanced " . \
    "font 'Arial,' . (KIND eq 'svg' ? '12' : '9') textcolor rgb MUTED; " . \
    "set label 902 FOOTER at screen from_left(24), from_bottom(34) left noenhanced " . \
    "font 'Arial,' . (KIND eq 'svg' ? '11.5' : '8.6') textcolor rgb MUTED; " . \
    "set label 903 MACHINE at screen from_left(24), from_bottom(16) left noenhanced " . \
    "font 'Arial,' . (KIND eq 'svg' ? '11.5' : '8.6') textcolor rgb MUTED"
TITLE_CLEAR = "unset label 900; unset label 901; unset label 902; unset label 903"
small(kind) = kind eq "svg" ? "Arial,12" : "Arial,9"
bold(text)  = "{/:Bold " . text . "}" # works in all terminals

# Every script draws each format between these two.
BEGIN = "eval(open_picture(KIND, NAME, WIDTH, HEIGHT)); set multiplot; eval(TITLE_SETUP); " . \
    "SMALL = small(KIND)"
END = "unset label; unset multiplot; unset output"

# Two panels of 960 pixels: the paper's at the left, this run's at the right.
LEFT_PANEL = "set lmargin at screen from_left(70); set rmargin at screen from_left(460)"
RIGHT_PANEL = "set lmargin at screen from_left(550); set rmargin at screen from_left(936)"
