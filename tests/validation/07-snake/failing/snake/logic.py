"""The rules of snake, without any terminal."""
import random
from collections import deque

UP, DOWN, LEFT, RIGHT = (0, -1), (0, 1), (-1, 0), (1, 0)


class Game:
    def __init__(self, width=30, height=16, rng=None):
        if width < 5 or height < 3:
            raise ValueError("the board is too small")
        self.width = width
        self.height = height
        self.rng = rng or random.Random()
        x, y = width // 2, height // 2
        self.snake = deque([(x, y), (x - 1, y), (x - 2, y)])  # head first
        self.direction = RIGHT
        self.turns = deque()
        self.score = 0
        self.over = False
        self.won = False
        self.food = None
        self.place_food()

    def place_food(self):
        free = [(x, y) for y in range(self.height) for x in range(self.width) if (x, y) not in self.snake]
        self.food = self.rng.choice(free) if free else None
        if self.food is None:
            self.over = self.won = True

    def turn(self, direction):
        """Remembers a turn for the next step. A turn straight back is ignored."""
        last = self.turns[-1] if self.turns else self.direction
        if direction == last or direction == (-last[0], -last[1]):
            return
        if len(self.turns) < 2:
            self.turns.append(direction)

    def step(self):
        if self.over:
            return
        if self.turns:
            self.direction = self.turns.popleft()
        x, y = self.snake[0]
        head = (x + self.direction[0], y + self.direction[1])
        if not (0 <= head[0] < self.width and 0 <= head[1] < self.height) or head in self.snake:
            self.over = True
            return
        self.snake.appendleft(head)
        if head == self.food:
            self.score += 1
            self.place_food()
        else:
            self.snake.pop()

    @property
    def delay(self):
        """Seconds between two steps; gets shorter with the score."""
        return max(0.05, 0.2 - 0.01 * self.score)

    def lines(self):
        """The board as text, for tests and for simple drawing."""
        rows = [["."] * self.width for _ in range(self.height)]
        if self.food:
            rows[self.food[1]][self.food[0]] = "*"
        for x, y in self.snake:
            rows[y][x] = "o"
        rows[self.snake[0][1]][self.snake[0][0]] = "@"
        return ["".join(r) for r in rows]
