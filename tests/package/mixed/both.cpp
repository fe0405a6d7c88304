// echo.cpp twice in one program, with the compiled library and with header-only fairlead.
bool echo_of_compiled();
bool echo_of_header_only();

int main() { return echo_of_compiled() && echo_of_header_only() ? 0 : 1; }
