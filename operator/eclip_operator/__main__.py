from eclip_operator.main import main

main()
