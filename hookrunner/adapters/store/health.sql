-- count_write --
UPDATE health SET writes = writes + 1
