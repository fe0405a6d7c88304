#include <fairlead/wire/impl/mask.ipp>
#include <fairlead/wire/impl/utf8.ipp>
