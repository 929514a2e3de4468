# What Vitis HLS is asked to do. A name between two signs is filled in by core.py.
open_project -reset project
set_top @function@
add_files top.cpp -cflags "-std=c++17 -I."
open_solution -reset solution -flow_target vivado
set_part @part@
create_clock -period @clock_period@ -name default
csynth_design
exit
