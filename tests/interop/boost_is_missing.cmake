message(FATAL_ERROR "The headers of Boost.Beast were not found: install the package libboost-dev, or ./dev setup, and configure again")
