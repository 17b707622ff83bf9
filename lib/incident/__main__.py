"""`python -m incident`: the command line, also where its script is not on the path."""

from incident.cli import main

if __name__ == "__main__":
    main()
